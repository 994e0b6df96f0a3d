import type { Knex } from 'knex'
import { counters } from './lib/public-tables.js'
import { addKeys, dropKeys } from './lib/tables.js'

export async function up(db: Knex): Promise<void> {
  await addKeys(db, counters)
}

export async function down(db: Knex): Promise<void> {
  await dropKeys(db, counters)
}
