import type { Knex } from 'knex'
import type { ClaimedPermit, GivenBack } from '../books/index.js'
import type { Channel } from '../channel.js'
import { databaseNow, execute, forUpdate, placeholders, selectRows } from '../db/sql.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import type { TemplateData } from '../wechat/messages.js'

/**
 * Statements that insert, lock and cancel messages, or give them their next permit; those on leases are in
 * lease-store.ts, those on verdicts in settle-store.ts. Callers pass sorted lists of at most 999, and keep the one
 * lock order: permits by id, counters by user, messages by id.
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

/** Inserts claimed reminders, with a lease. The unique key refuses a second one for the same user and day. */
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

/**
 * Reads back the ids of the reminders just inserted, by user: a multi-row insert need not number them consecutively.
 */
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

/** Finds the users of messages, by the run that claimed them. */
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

/** A locked message that its holder still holds, with what it gives back if it never went out. */
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

/** Locks, by ascending id, the messages that their holder still holds. */
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

/**
 * Cancels messages, and clears their business date so that they do not keep another one for that day from being
 * written.
 */
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
 * Lets a message go on with its user's next permit: `queued`, with a fresh lease, and addressed to the open_id that
 * gave the permit. WeChat accepts a form_id for nobody else (41028), and a user may have several open_ids.
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

/** Puts off a locked message of ours until `until`, for whichever process looks then. */
export async function putOff(trx: Knex.Transaction, id: number, until: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET state = 'retry', next_attempt_at = ?, lease_until = NULL WHERE id = ?`,
    [until, id],
  )
}
