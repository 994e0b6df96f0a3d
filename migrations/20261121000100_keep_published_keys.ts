import type { Knex } from 'knex'
import type { MigrationParams } from '../src/db/migrate.js'
import { isSqlite, selectRows } from '../src/db/sql.js'
import { counters } from './adoption/public-tables.js'

export const adopts = true

/**
 * Does nothing, but is on record before the first key is dropped, so that a rollback restores the key
 * whatever came in between.
 */
export async function up(): Promise<void> {}

/**
 * Restores the published UNIQUE (user_id), on which the programs of that time rely, unless rows contradict
 * it.
 */
export async function down(db: Knex, params: MigrationParams): Promise<void> {
  if (isSqlite(db) || !(await db.schema.hasTable(counters.name))) return
  const present = await selectRows(
    db,
    `SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? AND non_unique = 0
     GROUP BY index_name HAVING GROUP_CONCAT(LOWER(column_name)) = 'user_id'`,
    [counters.name],
  )
  if (present.length > 0) return
  const twice = await selectRows(
    db,
    `SELECT user_id FROM ${counters.name} GROUP BY user_id HAVING COUNT(*) > 1 LIMIT 1`,
  )
  if (twice.length === 0) await db.raw(`ALTER TABLE ${counters.name} ADD UNIQUE INDEX user_id (user_id)`)
  else
    params.onMessage(`${counters.name}: users have rows in several accounts, UNIQUE (user_id) not put back`)
}
