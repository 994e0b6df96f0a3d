import type { Knex } from 'knex'
import { migrations } from '../migrations/index.js'
import * as preview from '../migrations/preview.js'
import { createMigrator } from './db/migrate.js'

export type { MigrationPreview } from '../migrations/preview.js'

/**
 * The schema that this program works on. Only this file imports migrations/: the layers below are handed what they
 * need.
 */
export const {
  migrateLatest,
  pendingMigrations,
  listPending,
  joinInterrupted,
  assertMigrated,
  migrationsFor,
} = createMigrator(migrations)

/** What a migration would do to this database, and how long it would take. Changes nothing. */
export async function previewMigrations(db: Knex, now: number): Promise<preview.MigrationPreview> {
  return preview.previewMigrations(db, await pendingMigrations(db), now)
}
