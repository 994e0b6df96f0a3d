import type { Knex } from 'knex'
import { migrations } from '../migrations/index.js'
import * as preview from '../migrations/preview.js'
import { createMigrator } from './db/migrate.js'

export type { MigrationPreview } from '../migrations/preview.js'

/** The schema that this program works on. The one import of migrations/: what lies below is handed what it needs. */
export const {
  migrateLatest,
  pendingMigrations,
  listPending,
  joinInterrupted,
  assertMigrated,
  migrationsFor,
} = createMigrator(migrations)

/** What a migration would do to this database, and for how long. Changes nothing. */
export async function previewMigrations(db: Knex, now: number): Promise<preview.MigrationPreview> {
  return preview.previewMigrations(db, await pendingMigrations(db), now)
}
