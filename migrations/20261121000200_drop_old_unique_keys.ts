import type { Knex } from 'knex'
import type { MigrationParams } from '../src/db/migrate.js'
import { dropOldUniqueKeys } from './adoption/adopt.js'
import { counters, permits } from './adoption/public-tables.js'

export const adopts = true

/** Runs first: values that are corrected later, such as NULLs, would violate the old keys on the way. */
export async function up(db: Knex, params: MigrationParams): Promise<void> {
  await dropOldUniqueKeys(db, permits, params)
  await dropOldUniqueKeys(db, counters, params)
}

/** The migration before this one puts the key back. */
export async function down(): Promise<void> {}
