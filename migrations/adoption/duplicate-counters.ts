import type { Knex } from 'knex'
import type { MigrationParams } from '../../src/db/migrate.js'
import { execute, isSqlite, selectRows } from '../../src/db/sql.js'
import { forEachRange } from '../lib/chunks.js'
import { reportRows } from '../lib/report.js'
import { counters } from './public-tables.js'

const PLAN = 'wx_adoption_merge'

/**
 * A user with several rows keeps the first one, with the latest last_date. The count is computed later, and
 * the removed rows held nothing else. The plan has one row for each row to remove; a plan made again after a
 * crash has the remaining ones.
 */
export async function mergeDuplicateCounters(db: Knex, params: MigrationParams): Promise<void> {
  await db.schema.dropTableIfExists(PLAN)
  await db.raw(`CREATE TABLE ${PLAN} (seq bigint NOT NULL PRIMARY KEY, extra_id bigint NOT NULL,
    keeper_id bigint NOT NULL, latest bigint NOT NULL)`)
  await execute(
    db,
    `INSERT INTO ${PLAN} (seq, extra_id, keeper_id, latest)
     SELECT ROW_NUMBER() OVER (ORDER BY id), id, keeper, latest FROM (
       SELECT id, MIN(id) OVER (PARTITION BY app_id, user_id) AS keeper,
         MAX(last_date) OVER (PARTITION BY app_id, user_id) AS latest
       FROM ${counters.name}
     ) AS numbered WHERE id <> keeper`,
  )
  const [sum] = await selectRows<{ removed: number }>(db, `SELECT COUNT(*) AS removed FROM ${PLAN}`)
  await forEachRange(db, params, PLAN, 'seq', (after, upTo) =>
    db.transaction(async (trx) => {
      await execute(trx, keepLatest(trx), [after, upTo])
      await execute(trx, removeExtra(trx), [after, upTo])
    }),
  )
  reportRows(params, counters.name, sum?.removed ?? 0, 'merged into another row of the same user')
  await db.schema.dropTable(PLAN)
}

function keepLatest(db: Knex): string {
  return isSqlite(db)
    ? `UPDATE ${counters.name} SET last_date = plan.latest FROM ${PLAN} AS plan
       WHERE plan.keeper_id = ${counters.name}.id AND plan.seq > ? AND plan.seq <= ?`
    : `UPDATE ${counters.name} AS c JOIN ${PLAN} AS plan ON plan.keeper_id = c.id
       SET c.last_date = plan.latest WHERE plan.seq > ? AND plan.seq <= ?`
}

/** MariaDB 10 would read the whole table for a DELETE ... WHERE id IN (SELECT ...). */
function removeExtra(db: Knex): string {
  return isSqlite(db)
    ? `DELETE FROM ${counters.name} WHERE id IN (SELECT extra_id FROM ${PLAN} WHERE seq > ? AND seq <= ?)`
    : `DELETE c FROM ${counters.name} AS c JOIN ${PLAN} AS plan ON plan.extra_id = c.id
       WHERE plan.seq > ? AND plan.seq <= ?`
}
