import type { Knex } from 'knex'
import type { MigrationParams } from '../src/db/migrate.js'
import { createOrAdopt, dropIfEmpty } from './lib/adopt.js'
import { permits } from './lib/public-tables.js'

export async function up(db: Knex, params: MigrationParams): Promise<void> {
  await createOrAdopt(db, permits, params)
}

/**
 * A table with rows stays, and with it the columns that we added: they have defaults, so the programs that knew the
 * table before go on working, and they hold what nobody could recompute (which account, which message). `up` adopts it
 * again. What could refuse an old program's writes, keys and CHECKs, went before this.
 */
export async function down(db: Knex, params: MigrationParams): Promise<void> {
  await dropIfEmpty(db, permits, params)
}
