import type { Knex } from 'knex'
import { databaseNow, selectRows } from '../db/sql.js'

/**
 * Whether a submitted message is due, or was left by a process that died: asked every second, so without a transaction.
 * Uses wx_message_retry_due_idx and wx_claim_lease_idx.
 */
export async function hasDue(db: Knex, appId: string, now: number): Promise<boolean> {
  const [row] = await selectRows<{ due: number }>(
    db,
    `SELECT CASE WHEN EXISTS (SELECT 1 FROM wx_message_retry
         WHERE app_id = ? AND kind = 'api' AND next_attempt_at <= ?)
       OR EXISTS (SELECT 1 FROM wx_claim WHERE app_id = ? AND kind = 'api' AND lease_until < ${databaseNow(db)})
       THEN 1 ELSE 0 END AS due`,
    [appId, now, appId],
  )
  return Number(row?.due) === 1
}
