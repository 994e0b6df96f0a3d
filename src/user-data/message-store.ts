import type { Knex } from 'knex'
import { FORM_ID_LIFETIME_MS, NEVER_EXPIRES } from '../books/index.js'
import type { Channel } from '../channel.js'
import { inThisOrder, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/** The statements on one user's messages. */

export interface MessageKey {
  id: number
  state: string
}

/**
 * The user's newest messages before one, without an index of their own: a reminder has the day of a run, of which there
 * is one for each day that is kept; all others have no day. Both look-ups are by wx_push_message_reminder_uq.
 */
export async function findMessageKeys(
  db: Knex,
  appId: string,
  userId: UserId,
  { before, limit }: { before: number; limit: number },
): Promise<MessageKey[]> {
  const hint = mysqlHint(db, 'FORCE INDEX (wx_push_message_reminder_uq)')
  const ofDays = await selectRows<MessageKey>(
    db,
    `SELECT m.id, m.state FROM wx_job_run r${mysqlHint(db, 'FORCE INDEX (wx_job_run_slot_uq)')}
     ${inThisOrder(db)} wx_push_message m${hint}
       ON m.app_id = r.app_id AND m.business_date = r.slot AND m.user_id = ?
     WHERE r.job = 'remind' AND r.app_id = ? AND m.id < ? ORDER BY m.id DESC LIMIT ?`,
    [userId, appId, before, limit],
  )
  const ofNoDay = await selectRows<MessageKey>(
    db,
    `SELECT m.id, m.state FROM wx_push_message m${hint}
     WHERE m.app_id = ? AND m.business_date IS NULL AND m.user_id = ? AND m.id < ? ORDER BY m.id DESC LIMIT ?`,
    [appId, userId, before, limit],
  )
  return [...ofDays, ...ofNoDay].sort((a, b) => b.id - a.id).slice(0, limit)
}

export interface MessageRow {
  id: number
  kind: string
  date: number | null
  state: string
  channel: Channel
  template_id: string
  page: string
  data: string
  streak: number
  open_id: string | null
  permit_id: number | null
  run_id: number | null
  attempts: number
  errcode: number | null
  errmsg: string | null
  rid: string | null
  msgid: string | null
  maybe_sent: number
  delivery_status: string | null
  next_attempt_at: number | null
  created_at: number
  settled_at: number
  updated_at: number
}

/** Messages by id, each with what its narrow row leaves to other tables; a cancelled one with the day of its run. */
export function findMessages(db: Knex, ids: number[]): Promise<MessageRow[]> {
  return selectRows<MessageRow>(
    db,
    `SELECT m.id, m.kind, COALESCE(m.business_date, r.slot) AS date, m.state, c.channel, c.template_id,
       COALESCE(s.page, c.page) AS page, COALESCE(s.data, c.data) AS data, m.streak, COALESCE(m.open_id, f.open_id) AS open_id, m.permit_id, m.run_id, m.attempts, m.errcode, m.errmsg, m.rid,
       m.msgid, m.maybe_sent, m.delivery_status, w.next_attempt_at, m.created_at, m.settled_at, m.updated_at
     FROM wx_push_message m JOIN wx_card c ON c.id = m.card_id
     LEFT JOIN wx_job_run r ON r.id = m.run_id
     LEFT JOIN wx_save_form_id f ON f.id = m.permit_id
     LEFT JOIN wx_message_retry w ON w.message_id = m.id
     LEFT JOIN wx_submitted_message s${mysqlHint(db, 'FORCE INDEX (PRIMARY)')} ON s.message_id = m.id
     WHERE m.id IN (${placeholders(ids.length)}) ORDER BY m.id DESC`,
    ids,
  )
}

export interface SpoiledPermit {
  id: number
  message_id: number
  errcode: number
  updated_at: number
}

/**
 * The permits that WeChat refused these messages, in the order in which they were spent, among at most `looks` of the
 * user's. A form_id was spent within its
 * life, so it ran out at most that long after the youngest of them. Plan: range on the key by user.
 */
export function findSpoiled(
  db: Knex,
  appId: string,
  userId: UserId,
  { ids, from, to }: { ids: number[]; from: number; to: number },
  looks: number,
): Promise<SpoiledPermit[]> {
  return selectRows<SpoiledPermit>(
    db,
    `SELECT id, message_id, errcode, updated_at FROM (
       SELECT id, message_id, errcode, expire, updated_at FROM wx_save_form_id
       WHERE app_id = ? AND user_id = ? AND (expire > ? AND expire <= ? OR expire >= ?) LIMIT ?) AS f
     WHERE errcode IS NOT NULL AND message_id IN (${placeholders(ids.length)}) ORDER BY expire, id`,
    [appId, userId, from, to + FORM_ID_LIFETIME_MS, NEVER_EXPIRES, looks, ...ids],
  )
}
