import type { Knex } from 'knex'
import type { MigrationParams } from '../src/db/migrate.js'
import { createOrAdopt, dropIfEmpty } from './lib/adopt.js'
import { counters } from './lib/public-tables.js'

export async function up(db: Knex, params: MigrationParams): Promise<void> {
  await createOrAdopt(db, counters, params)
}

/** A table with rows stays, with the columns that we added, as wx_save_form_id does. */
export async function down(db: Knex, params: MigrationParams): Promise<void> {
  await dropIfEmpty(db, counters, params)
}
