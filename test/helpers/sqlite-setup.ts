import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { openDatabase } from '../../src/db/connect.js'
import { migrateLatest } from '../../src/schema.js'
import { makeDataFolder } from './data-folder.js'
import type { Dialect } from './database.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** What tests that hold on every database run on; vitest.config.ts says which. */
    dialects: Dialect[]
    /** All SQLite databases of this run are below it, and template.db, which is migrated and empty. */
    sqliteFolder: string
  }
}

/** A folder for the SQLite databases of all test files. Answers how to take it down. */
export default async function setup(project: TestProject): Promise<() => void> {
  const folder = makeDataFolder('reminder-sqlite-')
  const db = openDatabase(`sqlite:${join(folder, 'template.db')}`)
  await migrateLatest(db, { onMessage: () => {}, appId: '' })
  await db.destroy()
  project.provide('sqliteFolder', folder)
  return () => rmSync(folder, { recursive: true, force: true })
}
