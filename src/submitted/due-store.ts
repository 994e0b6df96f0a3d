import type { Knex } from 'knex'
import { databaseNow, inThisOrder, mysqlHint, selectRows } from '../db/sql.js'

/** What there is to do about submitted messages. */
export interface DueWork {
  /** A message's time has come. */
  due: boolean
  /** A process that died has left some. */
  lapsed: boolean
  /** One that waits has not left by its not_after. */
  overdue: boolean
}

/**
 * Asked every second, so without a transaction. Uses wx_message_retry_due_idx, wx_claim_lease_idx and
 * wx_submitted_message_expiry_idx.
 */
export async function findWork(db: Knex, appId: string, now: number): Promise<DueWork> {
  const [row] = await selectRows<Record<keyof DueWork, number>>(
    db,
    `SELECT CASE WHEN EXISTS (SELECT 1 FROM wx_message_retry
         WHERE app_id = ? AND kind = 'api' AND next_attempt_at <= ?) THEN 1 ELSE 0 END AS due,
       CASE WHEN EXISTS (SELECT 1 FROM wx_claim${mysqlHint(db, 'FORCE INDEX (wx_claim_lease_idx)')}
         WHERE app_id = ? AND kind = 'api' AND lease_until < ${databaseNow(db)}) THEN 1 ELSE 0 END AS lapsed,
       CASE WHEN EXISTS (SELECT 1 ${overdue(db)}) THEN 1 ELSE 0 END AS overdue`,
    [appId, now, appId, appId, now],
  )
  return { due: row?.due === 1, lapsed: row?.lapsed === 1, overdue: row?.overdue === 1 }
}

/** When the first of those that wait may go out, in ms. Uses wx_message_retry_due_idx. */
export async function findOldestDue(db: Knex, appId: string): Promise<number | undefined> {
  const [row] = await selectRows<{ next_attempt_at: number }>(
    db,
    `SELECT next_attempt_at FROM wx_message_retry${mysqlHint(db, 'FORCE INDEX (wx_message_retry_due_idx)')}
     WHERE app_id = ? AND kind = 'api' ORDER BY next_attempt_at LIMIT 1`,
    [appId],
  )
  return row?.next_attempt_at
}

/** Messages that wait, and may not leave any more. Uses wx_submitted_message_expiry_idx. */
export async function findOverdue(db: Knex, appId: string, now: number, limit: number): Promise<number[]> {
  const rows = await selectRows<{ message_id: number }>(
    db,
    `SELECT s.message_id ${overdue(db)} ORDER BY s.not_after LIMIT ?`,
    [appId, now, limit],
  )
  return rows.map(({ message_id }) => message_id)
}

/** Those in the hands of a process, at most some hundred, have no row in wx_message_retry. */
function overdue(db: Knex): string {
  return `FROM wx_submitted_message s${mysqlHint(db, 'FORCE INDEX (wx_submitted_message_expiry_idx)')}
     ${inThisOrder(db)} wx_message_retry w ON w.message_id = s.message_id
     WHERE s.app_id = ? AND s.state = 'open' AND s.not_after <= ?`
}
