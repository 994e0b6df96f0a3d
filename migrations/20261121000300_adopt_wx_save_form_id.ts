import type { Knex } from 'knex'
import type { MigrationParams } from '../src/db/migrate.js'
import { createOrAdopt, dropIfEmpty, isThere } from './adoption/adopt.js'
import { closeDuplicatePermits } from './adoption/duplicate-permits.js'
import { cleanPermits, completePermits } from './adoption/permit-rows.js'
import { permits } from './adoption/public-tables.js'
import { addKeys, dropKeys } from './lib/tables.js'

export const adopts = true

/**
 * Creates the table, or adopts the existing one. An adoption that was interrupted, at whatever statement,
 * starts over: each step skips the rows that it, or a later step, has already done.
 */
export async function up(db: Knex, params: MigrationParams): Promise<void> {
  if (await isThere(db, permits)) {
    // They exist only if an earlier attempt died before it was on record: rows written since then may violate
    // them.
    await dropKeys(db, permits)
    await cleanPermits(db, params)
  }
  await createOrAdopt(db, permits, params)
  await completePermits(db, params)
  await closeDuplicatePermits(db, params)
  await addKeys(db, permits)
}

/**
 * A table with rows stays, and so do the columns that we added: they have defaults, so the programs that knew
 * the table before go on working, and they hold what nobody could recompute (which account, which message).
 * `up` adopts it again. Keys and CHECKs, which could refuse an old program's writes, are dropped.
 */
export async function down(db: Knex, params: MigrationParams): Promise<void> {
  await dropKeys(db, permits)
  await dropIfEmpty(db, permits, params)
}
