import type { Knex } from 'knex'
import type { Channel } from '../channel.js'
import { mysqlHint, placeholders, selectRows, type Value } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { SubmittedEnd } from '../messages/submitted-end.js'
import type { AttemptOutcome } from '../messages/submitted-store.js'

/** The statements that tell how submitted messages stand. */

export interface SubmittedRow {
  id: number
  app_id: string
  user_id: UserId
  open_id: string | null
  channel: Channel
  template_id: string
  page: string
  data: string
  not_before: number
  not_after: number
  requeues: number
  submitted_by: string
  /** How it ended, or `open`. */
  ended: SubmittedEnd | 'open'
  state: 'queued' | 'sending' | 'retry' | 'delivered' | 'failed' | 'unknown' | 'cancelled'
  attempts: number
  maybe_sent: number
  permit_id: number | null
  errcode: number | null
  errmsg: string | null
  rid: string | null
  msgid: string | null
  delivery_status: string | null
  next_attempt_at: number | null
  created_at: number
  settled_at: number
}

/** Messages by id, the newest first. */
export function findSubmitted(db: Knex, appId: string, ids: number[]): Promise<SubmittedRow[]> {
  return selectRows<SubmittedRow>(
    db,
    `SELECT s.message_id AS id, s.app_id, s.user_id, m.open_id,
       COALESCE(c.channel, (SELECT CASE f.source WHEN 'subscribe' THEN 'subscribe' ELSE 'form_id' END
         FROM wx_save_form_id f WHERE f.id = m.permit_id), 'official') AS channel, s.template_id, s.page, s.data, s.not_before, s.not_after,
       s.requeues, s.submitted_by, s.state AS ended, m.state, m.attempts, m.maybe_sent, m.permit_id, m.errcode, m.errmsg,
       m.rid, m.msgid, m.delivery_status, w.next_attempt_at, s.created_at, m.settled_at
     FROM wx_submitted_message s${mysqlHint(db, 'FORCE INDEX (PRIMARY)')}
     JOIN wx_push_message m ON m.id = s.message_id
     LEFT JOIN wx_card c ON c.id = m.card_id
     LEFT JOIN wx_message_retry w ON w.message_id = s.message_id
     WHERE s.message_id IN (${placeholders(ids.length)}) AND s.app_id = ? ORDER BY s.message_id DESC`,
    [...ids, appId],
  )
}

export interface AttemptRow {
  message_id: number
  permit_id: number | null
  outcome: AttemptOutcome
  errcode: number | null
  errmsg: string | null
  rid: string | null
  msgid: string | null
  ended_at: number
}

/** The attempts of messages in their order. Uses wx_message_attempt_message_idx. */
export function findAttempts(db: Knex, ids: number[]): Promise<AttemptRow[]> {
  return selectRows<AttemptRow>(
    db,
    `SELECT message_id, permit_id, outcome, errcode, errmsg, rid, msgid, ended_at FROM wx_message_attempt
     WHERE message_id IN (${placeholders(ids.length)}) ORDER BY message_id, id`,
    ids,
  )
}

/** What a list shows. */
export interface Filter {
  /** An end, or `open` for those in between. */
  ended?: SubmittedEnd | 'open' | undefined
  userId?: UserId | undefined
  templateId?: string | undefined
  /** Of WeChat's last answer. */
  errcode?: number | undefined
}

export interface Found {
  id: number
  isWanted: boolean
}

/**
 * The newest messages before one, at most `looks` of them, and whether each is what the list shows. The narrowest
 * condition has an index that ends with the message; the others are looked at row by row, and so are the code and
 * the state in between, which are in wx_push_message alone: hence the limit.
 */
export async function lookThrough(
  db: Knex,
  appId: string,
  filter: Filter,
  { before, looks }: { before: number; looks: number },
): Promise<Found[]> {
  const { index, sql, bindings } = rangeOf(filter)
  const rows = await selectRows<{ id: number; wanted: number }>(
    db,
    `SELECT s.message_id AS id, CASE WHEN (? IS NULL OR s.state = ?) AND (? IS NULL OR s.template_id = ?)
         AND (? IS NULL OR (SELECT m.errcode FROM wx_push_message m WHERE m.id = s.message_id) = ?)
         THEN 1 ELSE 0 END AS wanted
     FROM wx_submitted_message s${mysqlHint(db, `FORCE INDEX (${index})`)}
     WHERE s.app_id = ?${sql} AND s.message_id < ? ORDER BY s.message_id DESC LIMIT ?`,
    [
      filter.ended ?? null,
      filter.ended ?? null,
      filter.templateId ?? null,
      filter.templateId ?? null,
      filter.errcode ?? null,
      filter.errcode ?? null,
      appId,
      ...bindings,
      before,
      looks,
    ],
  )
  return rows.map(({ id, wanted }) => ({ id, isWanted: Number(wanted) === 1 }))
}

function rangeOf({ ended, userId, templateId }: Filter): { index: string; sql: string; bindings: Value[] } {
  if (userId !== undefined)
    return { index: 'wx_submitted_message_user_idx', sql: ' AND s.user_id = ?', bindings: [userId] }
  if (ended !== undefined)
    return { index: 'wx_submitted_message_state_idx', sql: ' AND s.state = ?', bindings: [ended] }
  if (templateId !== undefined)
    return {
      index: 'wx_submitted_message_template_idx',
      sql: ' AND s.template_id = ?',
      bindings: [templateId],
    }
  return { index: 'wx_submitted_message_app_idx', sql: '', bindings: [] }
}
