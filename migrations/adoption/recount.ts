import type { Knex } from 'knex'
import type { MigrationParams } from '../../src/db/migrate.js'
import { execute } from '../../src/db/sql.js'
import { forEachRange, updateInChunks } from '../lib/chunks.js'
import { reportRows } from '../lib/report.js'
import { counters, permits } from './public-tables.js'

/** Reads wx_save_form_id_oldest_idx, a few entries per user. */
const TRUE_COUNT = `(SELECT COUNT(*) FROM ${permits.name} AS p WHERE p.app_id = ${counters.name}.app_id
  AND p.user_id = ${counters.name}.user_id AND p.status = 0)`

/** From here on the counter is exact: count = the number of the user's permits with status 0. */
export async function recountPermits(db: Knex, params: MigrationParams): Promise<void> {
  let created = 0
  await forEachRange(db, params, permits.name, 'id', async (after, upTo) => {
    const { affectedRows } = await execute(
      db,
      `INSERT INTO ${counters.name} (app_id, user_id, count)
       SELECT DISTINCT p.app_id, p.user_id, 0 FROM ${permits.name} AS p
       WHERE p.id > ? AND p.id <= ? AND NOT EXISTS (
         SELECT 1 FROM ${counters.name} AS c WHERE c.app_id = p.app_id AND c.user_id = p.user_id)`,
      [after, upTo],
    )
    created += affectedRows
  })
  reportRows(params, counters.name, created, 'created for users who had permits and no counter')
  const corrected = await updateInChunks(
    db,
    params,
    counters.name,
    `count = ${TRUE_COUNT}`,
    `count <> ${TRUE_COUNT}`,
  )
  reportRows(params, counters.name, corrected, "given the number of the user's unspent permits as count")
}
