import type { Knex } from 'knex'
import { type GivenBack, mayBeDue, sentWith } from '../books/index.js'
import { execute, forUpdate, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import { isStopped } from '../users/stopped.js'
import type { Day } from './due-store.js'

/** The failed reminders of a run, and what stands in the way of another one. Every statement reads a bounded number of rows. */

/** The id after which the next `limit` messages of a run end; undefined if there are fewer. Reads the index alone. */
export async function findPageEnd(
  db: Knex,
  runId: number,
  after: number,
  limit: number,
): Promise<number | undefined> {
  const [row] = await selectRows<{ id: number }>(
    db,
    `SELECT id FROM wx_push_message${mysqlHint(db, 'FORCE INDEX (wx_push_message_run_idx)')}
     WHERE run_id = ? AND id > ? ORDER BY id LIMIT 1 OFFSET ${limit - 1}`,
    [runId, after],
  )
  return row?.id
}

export interface FailedMessage {
  id: number
  user_id: UserId
  errcode: number | null
  template_id: string
}

/** The failed messages of a run between two of its ids. Uses wx_push_message_run_idx, which ends with the id. */
export function findFailed(
  db: Knex,
  runId: number,
  { after, end }: { after: number; end: number },
): Promise<FailedMessage[]> {
  return selectRows<FailedMessage>(
    db,
    `SELECT m.id, m.user_id, m.errcode, c.template_id
     FROM wx_push_message m${mysqlHint(db, 'FORCE INDEX (wx_push_message_run_idx)')} JOIN wx_card c ON c.id = m.card_id
     WHERE m.run_id = ? AND m.id > ? AND m.id <= ? AND m.state = 'failed' ORDER BY m.id`,
    [runId, after, end],
  )
}

/** Whether the run would remind a user again, or what keeps it from that. */
export type Prospect = 'due' | 'stopped' | 'signed_in' | 'without_permit'

/** The prospects of these users, who were reminded on that day and failed. Those without a counter are absent. */
export async function findProspects(
  db: Knex,
  appId: string,
  userIds: UserId[],
  day: Day,
): Promise<Map<UserId, Prospect>> {
  const { sql: permit, bindings } = sentWith(db, day.need)
  const rows = await selectRows<{ user_id: UserId; prospect: Prospect }>(
    db,
    `SELECT p.user_id, CASE
       WHEN EXISTS (SELECT 1 FROM wx_user u${mysqlHint(db, 'FORCE INDEX (wx_user_user_idx)')} WHERE u.app_id = p.app_id
         AND u.user_id = p.user_id AND ${isStopped('u', '?')}) THEN 'stopped'
       WHEN s.user_id IS NOT NULL THEN 'signed_in'
       WHEN NOT (${mayBeDue(day.need)}) OR ${permit} IS NULL THEN 'without_permit' ELSE 'due' END AS prospect
     FROM wx_message_push_status p
     LEFT JOIN wx_sign_in s${mysqlHint(db, 'FORCE INDEX (PRIMARY)')}
       ON s.app_id = p.app_id AND s.user_id = p.user_id AND s.day = ?
     WHERE p.app_id = ? AND p.user_id IN (${placeholders(userIds.length)})`,
    [day.templateId, ...bindings, day.date, appId, ...userIds],
  )
  return new Map(rows.map(({ user_id, prospect }) => [user_id, prospect]))
}

/** The permits of these messages. */
export async function findPermitIds(trx: Knex.Transaction, ids: number[]): Promise<number[]> {
  const rows = await selectRows<{ permit_id: number }>(
    trx,
    `SELECT permit_id FROM wx_push_message WHERE id IN (${placeholders(ids.length)}) AND permit_id IS NOT NULL`,
    ids,
  )
  return rows.map(({ permit_id }) => permit_id)
}

export interface LockedFailure extends GivenBack {
  id: number
  errcode: number
  errmsg: string | null
}

interface LockedRow {
  id: number
  user_id: UserId
  permit_id: number | null
  business_date: number
  last_date_before: number
  errcode: number
  errmsg: string | null
}

/** Locks, by ascending id, those of these messages that are still failed and still the reminder of their day. */
export async function lockFailed(trx: Knex.Transaction, ids: number[]): Promise<LockedFailure[]> {
  const rows = await selectRows<LockedRow>(
    trx,
    `SELECT id, user_id, permit_id, business_date, last_date_before, errcode, errmsg FROM wx_push_message
     WHERE id IN (${placeholders(ids.length)}) AND state = 'failed' AND business_date IS NOT NULL
       AND errcode IS NOT NULL ORDER BY id${forUpdate(trx)}`,
    ids,
  )
  return rows.map((row) => ({
    id: row.id,
    userId: row.user_id,
    permitId: row.permit_id,
    businessDate: row.business_date,
    lastDateBefore: row.last_date_before,
    errcode: row.errcode,
    errmsg: row.errmsg,
  }))
}

/** Cancels locked messages, which keep what WeChat said. Without their day, another one can be written for it. */
export async function cancelFailed(trx: Knex.Transaction, ids: number[], now: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET state = 'cancelled', business_date = NULL, updated_at = ?
     WHERE id IN (${placeholders(ids.length)})`,
    [now, ...ids],
  )
}
