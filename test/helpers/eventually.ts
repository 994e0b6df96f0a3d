import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 5

/** Looks again until `look` throws no more, and answers what it saw. Throws its last error after `withinMs`. */
export async function eventually<T>(look: () => T | Promise<T>, withinMs = 10_000): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    try {
      return await look()
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
    await sleep(POLL_MS)
  }
}
