import type { Knex } from 'knex'
import { execute, inThisOrder, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/** The messages that a delivery event may be about. */

export interface PersonMessage {
  id: number
  user_id: UserId
  template_id: string
  state: string
  run_id: number | null
  msgid: string | null
  errcode: number | null
  errmsg: string | null
  delivery_status: string | null
  maybe_sent: number
  created_at: number
  settled_at: number | null
}

const COLUMNS = `m.id, m.user_id, m.run_id, c.template_id, m.state, m.msgid, m.errcode, m.errmsg, m.delivery_status,
  m.maybe_sent, m.created_at, NULLIF(m.settled_at, 0) AS settled_at`

/**
 * The messages of a person on a channel, without locks, by the permits that the person gave. Uses
 * wx_save_form_id_tap_idx.
 */
export function findMessages(
  trx: Knex.Transaction,
  { appId, openId, channel }: { appId: string; openId: string; channel: 'subscribe' },
): Promise<PersonMessage[]> {
  return selectRows<PersonMessage>(
    trx,
    `SELECT ${COLUMNS}
     FROM wx_save_form_id f${mysqlHint(trx, 'FORCE INDEX (wx_save_form_id_tap_idx)')}
     JOIN wx_push_message m ON m.id = f.message_id AND m.permit_id = f.id JOIN wx_card c ON c.id = m.card_id
     WHERE f.app_id = ? AND f.open_id = ? AND c.channel = ? AND m.state <> 'cancelled'`,
    [appId, openId, channel],
  )
}

/** Messages without a day that are looked at, the newest first. */
const MAX_WITHOUT_DAY = 200

/**
 * The newest messages of a service account to a person, without locks: the reminders of these days, and those without
 * a day. They have no permit; both look-ups are by the person's user and wx_push_message_reminder_uq.
 */
export async function findMessagesToFollower(
  trx: Knex.Transaction,
  { appId, openId }: { appId: string; openId: string },
  days: number[],
): Promise<PersonMessage[]> {
  const read = (ofDays: string, bindings: number[], end: string): Promise<PersonMessage[]> =>
    selectRows<PersonMessage>(
      trx,
      `SELECT ${COLUMNS}
       FROM wx_user w ${inThisOrder(trx)} wx_push_message m${mysqlHint(trx, 'FORCE INDEX (wx_push_message_reminder_uq)')}
         ON m.app_id = w.app_id AND m.business_date ${ofDays} AND m.user_id = w.user_id
       JOIN wx_card c ON c.id = m.card_id
       WHERE w.app_id = ? AND w.open_id = ? AND m.open_id = w.open_id AND c.channel = 'official'
         AND m.state <> 'cancelled' ${end}`,
      [...bindings, appId, openId],
    )
  return [
    ...(await read(`IN (${placeholders(days.length)})`, days, '')),
    ...(await read('IS NULL', [], `ORDER BY m.id DESC LIMIT ${MAX_WITHOUT_DAY}`)),
  ]
}

/**
 * Writes what became of a message, and settles it if it was unknown. Returns false if it has changed since it
 * was read: a message held by a process is settled by that process, and the first report of a delivery
 * stands.
 */
export async function recordDelivery(
  trx: Knex.Transaction,
  message: { id: number; state: string; msgid: string; status: string; settlesAs: 'delivered' | 'failed' },
  now: number,
): Promise<boolean> {
  const { affectedRows } = await execute(
    trx,
    `UPDATE wx_push_message SET msgid = ?, delivery_status = ?, updated_at = ?,
       state = CASE WHEN state = 'unknown' THEN ? ELSE state END
     WHERE id = ? AND state = ? AND state IN ('unknown', 'delivered', 'failed') AND delivery_status IS NULL
       AND (msgid IS NULL OR msgid = ?)`,
    [message.msgid, message.status, now, message.settlesAs, message.id, message.state, message.msgid],
  )
  return affectedRows > 0
}
