import type { Knex } from 'knex'
import type { MigrationParams } from '../../src/db/migrate.js'
import { execute, isSqlite, selectRows } from '../../src/db/sql.js'
import { forEachRange } from '../lib/chunks.js'
import { reportRows } from '../lib/report.js'
import { permits } from './public-tables.js'

const PLAN = 'wx_adoption_plan'

/**
 * A form_id is good for one message, but old tables have it several times. One of its rows leads: a spent
 * one, otherwise the unspent one that expires first, otherwise any. The others take the next free use_no and
 * are expired if they were unspent.
 *
 * The plan is a table of its own, carried out in its order and chunk by chunk. A crash half-way leaves every
 * form_id with its first rows moved; the plan made after it gives the rest the numbers they would have had,
 * because the leader and the order of the others (expire, id) are the same. Numbers and closed duplicates
 * stay after a rollback: opening them again would send twice.
 */
export async function closeDuplicatePermits(db: Knex, params: MigrationParams): Promise<void> {
  await db.schema.dropTableIfExists(PLAN)
  await db.raw(`CREATE TABLE ${PLAN} (seq bigint NOT NULL PRIMARY KEY, permit_id bigint NOT NULL,
    use_no bigint NOT NULL, closes int NOT NULL)`)
  await execute(db, PLAN_ROWS)
  const [sum] = await selectRows<{ moved: number; closed: number | null }>(
    db,
    `SELECT COUNT(*) AS moved, SUM(closes) AS closed FROM ${PLAN}`,
  )
  await forEachRange(db, params, PLAN, 'seq', async (after, upTo) => {
    await execute(db, carryOut(db), [after, upTo])
  })
  reportRows(
    params,
    permits.name,
    sum?.moved ?? 0,
    'with the form_id of another row: numbered 2 and up in use_no',
  )
  reportRows(params, permits.name, Number(sum?.closed ?? 0), 'of these were unspent: set to 2 (expired)')
  await db.schema.dropTable(PLAN)
}

// `nth` counts the rows of one status; `leads` is 1 for spent rows, and for the first unspent row where none is spent.
const PLAN_ROWS = `
INSERT INTO ${PLAN} (seq, permit_id, use_no, closes)
SELECT ROW_NUMBER() OVER (ORDER BY app_id, form_id, use_no, place), id,
  top + ROW_NUMBER() OVER (PARTITION BY app_id, form_id ORDER BY use_no, place),
  CASE WHEN status = 0 THEN 1 ELSE 0 END
FROM (
  SELECT id, app_id, form_id, use_no, status, top, ROW_NUMBER() OVER (
    PARTITION BY app_id, form_id, use_no
    ORDER BY CASE WHEN status = 1 OR (status = 0 AND nth = 1 AND spent = 0) THEN 0 ELSE 1 END, expire, id
  ) AS place
  FROM (
    SELECT p.id, p.app_id, p.form_id, p.use_no, p.expire, p.status, doubles.top,
      ROW_NUMBER() OVER (PARTITION BY p.app_id, p.form_id, p.use_no, p.status ORDER BY p.expire, p.id) AS nth,
      SUM(CASE WHEN p.status = 1 THEN 1 ELSE 0 END) OVER (PARTITION BY p.app_id, p.form_id, p.use_no) AS spent
    FROM ${permits.name} p
    JOIN (
      SELECT app_id, form_id, MAX(use_no) AS top FROM ${permits.name}
      GROUP BY app_id, form_id HAVING COUNT(*) > COUNT(DISTINCT use_no)
    ) AS doubles ON doubles.app_id = p.app_id AND doubles.form_id = p.form_id
  ) AS counted
) AS placed
WHERE place > 1`

function carryOut(db: Knex): string {
  const joined = `${PLAN} AS plan`
  return isSqlite(db)
    ? `UPDATE ${permits.name} SET use_no = plan.use_no, status = CASE plan.closes WHEN 1 THEN 2 ELSE status END
       FROM ${joined} WHERE plan.permit_id = ${permits.name}.id AND plan.seq > ? AND plan.seq <= ?`
    : `UPDATE ${permits.name} AS p JOIN ${joined} ON plan.permit_id = p.id
       SET p.use_no = plan.use_no, p.status = CASE plan.closes WHEN 1 THEN 2 ELSE p.status END
       WHERE plan.seq > ? AND plan.seq <= ?`
}
