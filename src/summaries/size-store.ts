import type { Knex } from 'knex'
import { selectRows } from '../db/sql.js'

/** So many counters are read while a caller waits (some 50 ms); beyond it callers get what was kept. */
const SMALL = 2_000

/** Whether an account is so small that its numbers are computed for each answer. Reads 2,000 index entries at most. */
export async function isSmall(db: Knex, appId: string): Promise<boolean> {
  const rows = await selectRows(
    db,
    `SELECT user_id FROM wx_message_push_status WHERE app_id = ? ORDER BY user_id LIMIT 1 OFFSET ${SMALL}`,
    [appId],
  )
  return rows.length === 0
}
