import type { Knex } from 'knex'
import { migrationSource } from '../../migrations/index.js'

/** Brings the schema up to date; `onMessage` gets one line for each thing an operator should know. */
export async function migrateLatest(db: Knex, _onMessage?: (message: string) => void): Promise<void> {
  await db.migrate.latest({ migrationSource })
}

/** The names of the migrations that this database still lacks. */
export async function pendingMigrations(db: Knex): Promise<string[]> {
  const [, pending]: [unknown, string[]] = await db.migrate.list({ migrationSource })
  return pending
}
