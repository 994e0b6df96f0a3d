import type { Knex } from 'knex'
import type { ClaimedPermit, GivenBack } from '../books/index.js'
import type { Channel } from '../channel.js'
import { databaseNow, execute, forUpdate, placeholders, selectRows } from '../db/sql.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import type { TemplateData } from '../wechat/messages.js'

/**
 * The statements that insert and settle messages; those on leases are in lease-store.ts. The callers keep lists sorted
 * and at most 999 long, and keep to the one lock order: permits by id, counters by user, messages by id.
 */

/** What the reminders of one claim have in common. */
export interface ReminderBatch {
  appId: string
  businessDate: number
  runId: number
  channel: Channel
  templateId: string
  page: string
}

export interface NewReminder {
  permit: ClaimedPermit
  data: TemplateData
  traceId: string
  state: 'queued' | 'sending'
}

/** Inserts claimed reminders, with a lease. The unique key refuses a second one for a user and day. */
export async function insertReminders(
  trx: Knex.Transaction,
  { appId, businessDate, runId, channel, templateId, page }: ReminderBatch,
  reminders: NewReminder[],
  leaseMs: number,
  now: number,
): Promise<void> {
  const columns = `app_id, user_id, open_id, business_date, run_id, permit_id, channel, template_id, page, data,
    last_date_before, trace_id, state, created_at, updated_at, kind, fence, lease_until`
  const row = `(${placeholders(15)}, 'reminder', 1, ${databaseNow(trx)} + ${leaseMs})`
  await execute(
    trx,
    `INSERT INTO wx_push_message (${columns}) VALUES ${Array(reminders.length).fill(row).join(',')}`,
    reminders.flatMap((r) => [
      appId,
      r.permit.userId,
      r.permit.openId,
      businessDate,
      runId,
      r.permit.id,
      channel,
      templateId,
      page,
      JSON.stringify(r.data),
      r.permit.lastDateBefore,
      r.traceId,
      r.state,
      now,
      now,
    ]),
  )
}

/** The ids of the reminders just inserted, by user. Read back, since a multi-row insert need not number them in a row. */
export async function findReminderIds(
  trx: Knex.Transaction,
  appId: string,
  businessDate: number,
  userIds: UserId[],
): Promise<Map<UserId, number>> {
  const rows = await selectRows<{ id: number; user_id: UserId }>(
    trx,
    `SELECT id, user_id FROM wx_push_message
     WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)}) AND business_date = ?`,
    [appId, ...userIds, businessDate],
  )
  return new Map(rows.map(({ id, user_id }) => [user_id, id]))
}

/** The users of messages, by the run that claimed them. */
export async function findUsersByRun(trx: Knex.Transaction, ids: number[]): Promise<Map<number, UserId[]>> {
  if (ids.length === 0) return new Map()
  const rows = await selectRows<{ run_id: number; user_id: UserId }>(
    trx,
    `SELECT run_id, user_id FROM wx_push_message
     WHERE id IN (${placeholders(ids.length)}) AND run_id IS NOT NULL ORDER BY run_id, user_id`,
    ids,
  )
  const users = new Map<number, UserId[]>()
  for (const [runId, group] of groupBy(rows, (row) => row.run_id))
    users.set(
      runId,
      group.map((row) => row.user_id),
    )
  return users
}

/** A message that its holder still holds, locked, with what it gives back if it never went out. */
export interface LockedMessage extends GivenBack {
  id: number
}

interface LockedRow {
  id: number
  fence: number
  user_id: UserId
  permit_id: number
  business_date: number | null
  last_date_before: number
}

/** Locks those messages that their holder still holds, by ascending id. */
export async function lockHeld(
  trx: Knex.Transaction,
  held: { id: number; fence: number }[],
): Promise<LockedMessage[]> {
  const fences = new Map(held.map(({ id, fence }) => [id, fence]))
  const rows = await selectRows<LockedRow>(
    trx,
    `SELECT id, fence, user_id, permit_id, business_date, last_date_before FROM wx_push_message
     WHERE id IN (${placeholders(held.length)}) AND state IN ('queued', 'sending') ORDER BY id${forUpdate(trx)}`,
    sortedUnique(held.map(({ id }) => id)),
  )
  return rows
    .filter((row) => row.fence === fences.get(row.id))
    .map((row) => ({
      id: row.id,
      userId: row.user_id,
      permitId: row.permit_id,
      businessDate: row.business_date,
      lastDateBefore: row.last_date_before,
    }))
}

/** Ends messages as cancelled. Without a business date they no longer stand in the way of another one for that day. */
export async function cancel(
  trx: Knex.Transaction,
  ids: number[],
  why: { attempts: number; errcode: number | null; errmsg: string | null; rid: string | null },
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET state = 'cancelled', business_date = NULL, attempts = attempts + ?, errcode = ?,
       errmsg = ?, rid = ?, lease_until = NULL, next_attempt_at = NULL, settled_at = ?, updated_at = ?
     WHERE id IN (${placeholders(ids.length)})`,
    [why.attempts, why.errcode, why.errmsg, why.rid, now, now, ...ids],
  )
}

/**
 * A message goes on with its user's next permit: `queued`, with a fresh lease, and to the open_id that gave the permit.
 * WeChat takes a form_id for nobody else (41028), and a user may have several open_ids.
 */
export async function goOnWith(
  trx: Knex.Transaction,
  id: number,
  { permit, errcode }: { permit: { id: number; openId: string }; errcode: number | null },
  leaseMs: number,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET permit_id = ?, open_id = ?, state = 'queued', attempts = attempts + 1, errcode = ?, updated_at = ?,
       lease_until = ${databaseNow(trx)} + ${leaseMs} WHERE id = ?`,
    [permit.id, permit.openId, errcode, now, id],
  )
}

/** Leaves a message that is ours, and locked, to whoever comes by at that time. */
export async function putOff(trx: Knex.Transaction, id: number, until: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET state = 'retry', next_attempt_at = ?, lease_until = NULL WHERE id = ?`,
    [until, id],
  )
}
