import type { Knex } from 'knex'
import { permits } from './lib/public-tables.js'
import { addKeys, dropKeys } from './lib/tables.js'

export async function up(db: Knex): Promise<void> {
  await addKeys(db, permits)
}

export async function down(db: Knex): Promise<void> {
  await dropKeys(db, permits)
}
