import type { Knex } from 'knex'
import type { MigrationParams } from '../src/db/migrate.js'
import { createOrAdopt, dropIfEmpty, isThere } from './adoption/adopt.js'
import { cleanCounters, completeCounters } from './adoption/counter-rows.js'
import { mergeDuplicateCounters } from './adoption/duplicate-counters.js'
import { counters } from './adoption/public-tables.js'
import { recountPermits } from './adoption/recount.js'
import { addKeys, dropKeys } from './lib/tables.js'

export const adopts = true

/** Starts over after an interruption, like the adoption of wx_save_form_id, whose rows it counts. */
export async function up(db: Knex, params: MigrationParams): Promise<void> {
  if (await isThere(db, counters)) {
    await dropKeys(db, counters)
    await cleanCounters(db, params)
  }
  await createOrAdopt(db, counters, params)
  await completeCounters(db, params)
  await mergeDuplicateCounters(db, params)
  await addKeys(db, counters)
  await recountPermits(db, params)
}

/** A table with rows stays, with the columns that we added, like wx_save_form_id. */
export async function down(db: Knex, params: MigrationParams): Promise<void> {
  await dropKeys(db, counters)
  await dropIfEmpty(db, counters, params)
}
