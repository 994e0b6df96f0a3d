import type { Knex } from 'knex'
import { isSqlite, selectRows } from '../src/db/sql.js'
import { dropOldUniqueKeys } from './lib/adopt.js'
import type { MigrationParams } from './lib/migration.js'
import { counters, permits } from './lib/public-tables.js'

/** First of all: values that are put right later, such as NULLs, would violate the old keys on the way. */
export async function up(db: Knex, params: MigrationParams): Promise<void> {
  await dropOldUniqueKeys(db, permits, params)
  await dropOldUniqueKeys(db, counters, params)
}

/** Puts back the published UNIQUE (user_id), which the programs of that time count on, unless rows contradict it. */
export async function down(db: Knex, params: MigrationParams): Promise<void> {
  if (isSqlite(db) || !(await db.schema.hasTable(counters.name))) return
  const twice = await selectRows(
    db,
    `SELECT user_id FROM ${counters.name} GROUP BY user_id HAVING COUNT(*) > 1 LIMIT 1`,
  )
  if (twice.length === 0) await db.raw(`ALTER TABLE ${counters.name} ADD UNIQUE INDEX user_id (user_id)`)
  else
    params.onMessage(`${counters.name}: users have rows in several accounts, UNIQUE (user_id) not put back`)
}
