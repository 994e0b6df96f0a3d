import type { Knex } from 'knex'
import type { Condition, PermitSource } from '../books/usable.js'
import type { Channel } from '../channel.js'
import { databaseNow, execute, forUpdate, placeholders, selectRows } from '../db/sql.js'
import { groupBy } from '../lib/group-by.js'
import type { UserId } from '../lib/user-id.js'

/**
 * The statements that insert and settle messages; those on leases are in lease-store.ts. The callers keep lists sorted
 * and at most 999 long, and keep to the one lock order: permits by id, counters by user, messages by id.
 */

export interface NewReminder {
  appId: string
  userId: UserId
  openId: string
  businessDate: number
  runId: number
  permitId: number
  channel: Channel
  templateId: string
  page: string
  data: string
  lastDateBefore: number
  traceId: string
  state: 'queued' | 'sending'
}

/** Inserts claimed reminders, with a lease. The unique key refuses a second one for a user and day. */
export async function insertReminders(
  trx: Knex,
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
      r.appId,
      r.userId,
      r.openId,
      r.businessDate,
      r.runId,
      r.permitId,
      r.channel,
      r.templateId,
      r.page,
      r.data,
      r.lastDateBefore,
      r.traceId,
      r.state,
      now,
      now,
    ]),
  )
}

/** The ids of the reminders just inserted, by user. Read back, since a multi-row insert need not number them in a row. */
export async function findReminderIds(
  trx: Knex,
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

/** What is written to a message when an attempt is over. */
export interface Settlement {
  id: number
  fence: number
  runId: number | null
  state: 'delivered' | 'failed' | 'unknown' | 'retry'
  maybeSent: boolean
  /** Attempts to add: 0 for one that was never made. */
  attempts: number
  nextAttemptAt: number | null
  errcode: number | null
  errmsg: string | null
  rid: string | null
  msgid: string | null
}

/** How many messages of a run were settled alike. */
export interface Settled {
  runId: number | null
  state: Settlement['state']
  messages: number
}

/**
 * Writes verdicts down, one statement for those that have run, state, code and fence in common. A message that somebody
 * else has taken over is left as it is.
 */
export async function settle(trx: Knex, settlements: Settlement[], now: number): Promise<Settled[]> {
  const groups = groupBy(settlements, (s) =>
    [s.runId, s.state, s.fence, s.maybeSent, s.attempts, s.errcode].join(' '),
  )
  const settled: Settled[] = []
  for (const group of groups.values()) {
    const [first] = group
    if (!first) continue
    const { runId, state, fence } = first
    const perRow = (['next_attempt_at', 'errmsg', 'rid', 'msgid'] as const).map((column) =>
      caseById(column, group),
    )
    const { affectedRows } = await execute(
      trx,
      `UPDATE wx_push_message SET state = ?, attempts = attempts + ?, maybe_sent = ?, errcode = ?,
         ${perRow.map(({ sql }) => sql).join(', ')}, lease_until = NULL, settled_at = ?, updated_at = ?
       WHERE id IN (${placeholders(group.length)}) AND fence = ? AND state IN ('queued', 'sending')`,
      [
        state,
        first.attempts,
        first.maybeSent ? 1 : 0,
        first.errcode,
        ...perRow.flatMap(({ bindings }) => bindings),
        state === 'retry' ? null : now,
        now,
        ...group.map(({ id }) => id),
        fence,
      ],
    )
    settled.push({ runId, state, messages: affectedRows })
  }
  return settled
}

const PER_ROW = {
  next_attempt_at: (s: Settlement) => s.nextAttemptAt,
  errmsg: (s: Settlement) => s.errmsg,
  rid: (s: Settlement) => s.rid,
  msgid: (s: Settlement) => s.msgid,
}

/** `column = CASE id WHEN … END` for values that differ by row, or `column = ?` where they do not. */
function caseById(
  column: keyof typeof PER_ROW,
  group: Settlement[],
): { sql: string; bindings: (string | number | null)[] } {
  const read = PER_ROW[column]
  const [first] = group
  const common = first ? read(first) : null
  if (group.every((s) => read(s) === common)) return { sql: `${column} = ?`, bindings: [common] }
  return {
    sql: `${column} = CASE id ${'WHEN ? THEN ? '.repeat(group.length)}END`,
    bindings: group.flatMap((s) => [s.id, read(s)]),
  }
}

export interface LockedPermit {
  id: number
  user_id: number
  open_id: string
  status: number
  expire: number
  form_id: string
  source: PermitSource
}

/** Locks permits by ascending id. */
export async function lockPermits(trx: Knex, ids: number[]): Promise<Map<number, LockedPermit>> {
  const rows = await selectRows<LockedPermit>(
    trx,
    `SELECT id, user_id, open_id, status, expire, form_id, source FROM wx_save_form_id WHERE id IN (${placeholders(ids.length)})
     ORDER BY id${forUpdate(trx)}`,
    ids,
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/** The users of messages, by the run that claimed them. */
export async function findUsersByRun(trx: Knex, ids: number[]): Promise<Map<number, UserId[]>> {
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

export interface LockedMessage {
  id: number
  fence: number
  user_id: UserId
  permit_id: number
  business_date: number | null
  last_date_before: number
}

/** Locks those messages that their holder still holds, by ascending id. */
export async function lockHeld(trx: Knex, held: { id: number; fence: number }[]): Promise<LockedMessage[]> {
  const fences = new Map(held.map(({ id, fence }) => [id, fence]))
  const rows = await selectRows<LockedMessage>(
    trx,
    `SELECT id, fence, user_id, permit_id, business_date, last_date_before FROM wx_push_message
     WHERE id IN (${placeholders(held.length)}) AND state IN ('queued', 'sending') ORDER BY id${forUpdate(trx)}`,
    held.map(({ id }) => id).sort((a, b) => a - b),
  )
  return rows.filter((row) => row.fence === fences.get(row.id))
}

/** Makes permits unspent again. One that ran out meanwhile becomes stale, and keeps its message for the record. */
export async function returnPermits(trx: Knex, ids: number[], now: number): Promise<void> {
  if (ids.length === 0) return
  await execute(
    trx,
    `UPDATE wx_save_form_id SET message_id = CASE WHEN expire > ? THEN NULL ELSE message_id END,
       status = CASE WHEN expire > ? THEN 0 ELSE 2 END, updated_at = ?
     WHERE id IN (${placeholders(ids.length)})`,
    [now, now, now, ...ids],
  )
}

export interface CounterReturn {
  /** Permits that became unspent again. */
  permits: number
  /** Restores `last_date` of those who still have the day of the reminder that was given back. */
  businessDate: number | null
  lastDateBefore: number
}

export async function returnToCounters(
  trx: Knex,
  appId: string,
  userIds: UserId[],
  { permits, businessDate, lastDateBefore }: CounterReturn,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_message_push_status
     SET count = count + ?, last_date = CASE WHEN last_date = ? THEN ? ELSE last_date END, updated_at = ?
     WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)})`,
    [permits, businessDate ?? -1, lastDateBefore, now, appId, ...userIds],
  )
}

/** Ends messages as cancelled. Without a business date they no longer stand in the way of another one for that day. */
export async function cancel(
  trx: Knex,
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

/** Notes on a permit what WeChat said of it. */
export async function recordDeadPermits(
  trx: Knex,
  ids: number[],
  errcode: number | null,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_save_form_id SET errcode = ?, updated_at = ? WHERE id IN (${placeholders(ids.length)})`,
    [errcode, now, ...ids],
  )
}

/** Each user's oldest usable permit, without locks. Uses wx_save_form_id_oldest_idx. */
export async function findOldestPermits(
  trx: Knex,
  appId: string,
  userIds: UserId[],
  usable: Condition,
): Promise<Map<UserId, number>> {
  const rows = await selectRows<{ user_id: UserId; permit_id: number | null }>(
    trx,
    `SELECT p.user_id, (SELECT f.id FROM wx_save_form_id f
       WHERE f.app_id = p.app_id AND f.user_id = p.user_id AND ${usable.sql}
       ORDER BY f.expire, f.id LIMIT 1) AS permit_id
     FROM wx_message_push_status p WHERE p.app_id = ? AND p.user_id IN (${placeholders(userIds.length)})`,
    [...usable.bindings, appId, ...userIds],
  )
  const permits = new Map<UserId, number>()
  for (const { user_id, permit_id } of rows) if (permit_id !== null) permits.set(user_id, permit_id)
  return permits
}

/**
 * Spends a permit on a message, which goes to the open_id that gave it from then on, is `queued` with it and has a
 * fresh lease: WeChat takes a form_id for nobody else (41028), and a user may have several open_ids. A counter that was
 * set too low by hand stops at 0, or its CHECK would end every run at this user.
 */
export async function reserve(
  trx: Knex,
  message: { id: number; appId: string; userId: UserId; errcode: number | null },
  permit: LockedPermit,
  leaseMs: number,
  now: number,
): Promise<void> {
  await execute(trx, 'UPDATE wx_save_form_id SET status = 1, message_id = ?, updated_at = ? WHERE id = ?', [
    message.id,
    now,
    permit.id,
  ])
  await execute(
    trx,
    `UPDATE wx_message_push_status SET count = CASE WHEN count > 0 THEN count - 1 ELSE 0 END, updated_at = ?
     WHERE app_id = ? AND user_id = ?`,
    [now, message.appId, message.userId],
  )
  await execute(
    trx,
    `UPDATE wx_push_message SET permit_id = ?, open_id = ?, state = 'queued', attempts = attempts + 1, errcode = ?, updated_at = ?,
       lease_until = ${databaseNow(trx)} + ${leaseMs} WHERE id = ?`,
    [permit.id, permit.open_id, message.errcode, now, message.id],
  )
}

/** Leaves a message that is ours, and locked, to whoever comes by at that time. */
export async function putOff(trx: Knex, id: number, until: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET state = 'retry', next_attempt_at = ?, lease_until = NULL WHERE id = ?`,
    [until, id],
  )
}
