import type { Knex } from 'knex'
import { byPrimaryKey, execute, mysqlHint, selectRows } from '../db/sql.js'

/**
 * Makes a dead letter a queued message with another permit, as if it had just been submitted; what it has tried so far
 * stays on record. Returns false, changing nothing, if it is not dead any more. Lock order: permits and counters are
 * locked already.
 */
export async function reopen(
  trx: Knex.Transaction,
  to: { appId: string; id: number; permitId: number | null; openId: string | null; notAfter: number },
  now: number,
): Promise<boolean> {
  // First the row of the message, which settling locks first as well.
  const { affectedRows } = await execute(
    trx,
    `UPDATE wx_push_message SET state = 'queued', permit_id = ?, open_id = ?, attempts = 0, maybe_sent = 0,
       errcode = NULL, errmsg = NULL, rid = NULL, msgid = NULL, settled_at = 0, updated_at = ?
     WHERE id = ? AND kind = 'api' AND state = 'cancelled'`,
    [to.permitId, to.openId, now, to.id],
  )
  if (affectedRows === 0) return false
  const { affectedRows: dead } = await execute(
    trx,
    `UPDATE wx_submitted_message${byPrimaryKey(trx)} SET state = 'open', requeues = requeues + 1, claimed_at = 0, spared = 0, not_after = ?,
       updated_at = ?
     WHERE message_id = ? AND app_id = ? AND state = 'dead'`,
    [to.notAfter, now, to.id, to.appId],
  )
  return dead > 0
}

/**
 * The next dead letters after one, with their template and the code of their last answer. Uses
 * wx_submitted_message_state_idx.
 */
export function findDead(
  db: Knex,
  appId: string,
  after: number,
  limit: number,
): Promise<{ id: number; template_id: string; errcode: number | null }[]> {
  return selectRows(
    db,
    `SELECT s.message_id AS id, s.template_id, m.errcode
     FROM wx_submitted_message s${mysqlHint(db, 'FORCE INDEX (wx_submitted_message_state_idx)')}
     JOIN wx_push_message m ON m.id = s.message_id
     WHERE s.app_id = ? AND s.state = 'dead' AND s.message_id > ? ORDER BY s.message_id LIMIT ?`,
    [appId, after, limit],
  )
}
