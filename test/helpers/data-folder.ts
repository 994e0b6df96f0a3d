import { mkdtempSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Linux keeps it in memory. Containers often have 64 MB of it, less than an empty MySQL needs. */
const IN_MEMORY = '/dev/shm'
const ROOM = 4 * 1024 ** 3

/**
 * A new folder for databases, in memory where there is room: on a disk each commit waits for it, 4 ms on ours, and the
 * tests commit some hundred thousand times. What a killed process has written is there all the same.
 */
export function makeDataFolder(prefix: string): string {
  return mkdtempSync(join(hasRoom(IN_MEMORY) ? IN_MEMORY : tmpdir(), prefix))
}

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize > ROOM
  } catch {
    return false
  }
}
