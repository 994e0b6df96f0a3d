import type { Knex } from 'knex'
import { FORM_ID_LIFETIME_MS, NEVER_EXPIRES } from '../books/index.js'
import { execute, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { byExpiry, isBetween, type Place } from '../permits/store.js'

/** What a purge asks for: rows of one account that ended before `before`, the next `limit` rows examined. */
export interface Wanted {
  appId: string
  before: number
  limit: number
}

/** A slice of the account's rows of a table, in the order of an index that holds no others in between. */
export interface Slice {
  /** The position after the rows that were read; undefined if the rest is too young, or there is none. */
  next: number | undefined
  /** Of these, the rows that may go. */
  old: number[]
}

interface Row {
  id: number
  created_at: number
  is_old: number
}

/** On a row `f` of wx_save_form_id: ended, untouched since `before`, and run out. Subscriptions never run out. */
const IS_OLD_PERMIT = `f.status <> 0 AND f.updated_at < ? AND (f.expire < ? OR f.source = 'subscribe')`

/** Runs of reminders that began before `before`, oldest day first, after that of `after`. Uses wx_job_run_slot_uq. */
export async function findOldRuns(
  db: Knex,
  after: number,
  { appId, before, limit }: Wanted,
): Promise<{ id: number; slot: number }[]> {
  return selectRows(
    db,
    `SELECT id, slot FROM wx_job_run${mysqlHint(db, 'FORCE INDEX (wx_job_run_slot_uq)')}
     WHERE job = 'remind' AND app_id = ? AND slot > ? AND started_at < ?
     ORDER BY slot LIMIT ?`,
    [appId, after, before, limit],
  )
}

/**
 * Messages of a run, or of none (null), that were settled before `before`. Unsettled ones stay, however old. Uses
 * wx_push_message_run_idx, which ends with the id.
 */
export async function readMessages(
  db: Knex,
  runId: number | null,
  after: number,
  { appId, before, limit }: Wanted,
): Promise<Slice> {
  // Those of no run are of all accounts: the next ones are read whoever they belong to, so that a page has a known size.
  const rows = await selectRows<Row>(
    db,
    `SELECT id, created_at, CASE WHEN app_id = ? AND settled_at > 0 AND settled_at < ? THEN 1 ELSE 0 END AS is_old
     FROM wx_push_message${mysqlHint(db, 'FORCE INDEX (wx_push_message_run_idx)')}
     WHERE run_id ${runId === null ? 'IS NULL' : '= ?'} AND id > ? ORDER BY id LIMIT ?`,
    [appId, before, ...(runId === null ? [] : [runId]), after, limit],
  )
  return toSlice(rows, before, limit)
}

/**
 * The permits that refer to messages, and whether they may be deleted. A message names only its last permit;
 * the earlier ones were found dead. All of them are among the user's permits that ran out within a permit's
 * life after the youngest of these messages, or that never run out. Uses the key by user.
 */
export async function findPermitsOf(
  db: Knex,
  messageIds: number[],
  { appId, before }: Wanted,
): Promise<{ id: number; message_id: number; is_old: number }[]> {
  const messages = placeholders(messageIds.length)
  const [bounds] = await selectRows<{ youngest: number }>(
    db,
    `SELECT MAX(created_at) AS youngest FROM wx_push_message WHERE id IN (${messages})`,
    messageIds,
  )
  const users = await selectRows<{ user_id: number }>(
    db,
    `SELECT DISTINCT user_id FROM wx_push_message WHERE id IN (${messages})`,
    messageIds,
  )
  if (users.length === 0) return []
  return selectRows(
    db,
    `SELECT f.id, f.message_id, CASE WHEN ${IS_OLD_PERMIT} THEN 1 ELSE 0 END AS is_old FROM wx_save_form_id f
     WHERE f.app_id = ? AND f.user_id IN (${placeholders(users.length)}) AND (f.expire <= ? OR f.expire >= ?)
       AND f.message_id IN (${messages})`,
    [
      before,
      before,
      appId,
      ...users.map(({ user_id }) => user_id),
      (bounds?.youngest ?? 0) + FORM_ID_LIFETIME_MS,
      NEVER_EXPIRES,
      ...messageIds,
    ],
  )
}

/**
 * Permits between two places, spent by hand or expired, that nobody has touched since `before` and that no
 * message names. Adopted rows have no times of ours (0): the time they ran out counts for them, as for all.
 */
export async function findOldPermits(
  db: Knex,
  after: Place,
  to: Place,
  { appId, before }: Wanted,
): Promise<number[]> {
  const between = isBetween(db, after, to, 'f.')
  const rows = await selectRows<{ id: number }>(
    db,
    `SELECT f.id FROM wx_save_form_id f${byExpiry(db)} LEFT JOIN wx_push_message m ON m.id = f.message_id
     WHERE f.app_id = ? AND ${between.sql} AND ${IS_OLD_PERMIT} AND m.id IS NULL`,
    [appId, ...between.bindings, before, before],
  )
  return sortedUnique(rows.map(({ id }) => id))
}

/** Ended runs whose messages are gone. Uses wx_job_run_app_idx. */
export async function readRuns(db: Knex, after: number, { appId, before, limit }: Wanted): Promise<Slice> {
  const rows = await selectRows<Row>(
    db,
    `SELECT r.id, r.started_at AS created_at, CASE WHEN r.state <> 'running' AND r.updated_at < ?
       AND NOT EXISTS (SELECT 1 FROM wx_push_message m WHERE m.run_id = r.id) THEN 1 ELSE 0 END AS is_old
     FROM wx_job_run r${mysqlHint(db, 'IGNORE INDEX (PRIMARY)')} WHERE r.app_id = ? AND r.id > ? ORDER BY r.id LIMIT ?`,
    [before, appId, after, limit],
  )
  return toSlice(rows, before, limit)
}

/** Tables whose rows go by their own age alone, each with the time that counts and an index of it. */
const TIME_OF = {
  wx_callback_event: 'received_at',
  wx_callback_nonce: 'received_at',
  wx_stop_history: 'ended_at',
  wx_operator_action: 'at',
  wx_submission: 'created_at',
} as const

export type AgingTable = keyof typeof TIME_OF

/**
 * The oldest WeChat events, processed or not, marks of accepted pushes, stops that are over, actions of operators, or
 * requests that submitted messages.
 * Each slice is deleted before the next is read.
 */
export async function readAged(
  db: Knex,
  table: AgingTable,
  { appId, before, limit }: Wanted,
): Promise<Slice> {
  const rows = await selectRows<{ id: number }>(
    db,
    `SELECT id FROM ${table} WHERE app_id = ? AND ${TIME_OF[table]} < ? ORDER BY ${TIME_OF[table]} LIMIT ?`,
    [appId, before, limit],
  )
  return { old: rows.map(({ id }) => id), next: rows.length < limit ? undefined : 0 }
}

/** Ids grow with time, so the first row that is too young ends the purge of its table. */
function toSlice(rows: Row[], before: number, limit: number): Slice {
  const old = rows.filter((row) => row.is_old === 1).map(({ id }) => id)
  const last = rows.at(-1)
  const isEnd = rows.length < limit || !last || last.created_at >= before
  return { next: isEnd ? undefined : last.id, old }
}

/** Deletes by id. A message that is no longer settled stays. */
export async function deleteRows(
  db: Knex,
  table: 'wx_push_message' | AgingTable,
  ids: number[],
): Promise<number> {
  const still = table === 'wx_push_message' ? ' AND settled_at > 0' : ''
  const { affectedRows } = await execute(
    db,
    `DELETE FROM ${table} WHERE id IN (${placeholders(ids.length)})${still}`,
    ids,
  )
  return affectedRows
}

/** Deletes what submitted messages have beside their row, once that is gone. */
export async function deleteSubmitted(trx: Knex.Transaction, ids: number[]): Promise<void> {
  const list = placeholders(ids.length)
  const isGone = (table: string): string =>
    `message_id IN (${list}) AND NOT EXISTS (SELECT 1 FROM wx_push_message m WHERE m.id = ${table}.message_id)`
  await execute(trx, `DELETE FROM wx_message_attempt WHERE ${isGone('wx_message_attempt')}`, ids)
  await execute(trx, `DELETE FROM wx_webhook_delivery WHERE ${isGone('wx_webhook_delivery')}`, ids)
  await execute(trx, `DELETE FROM wx_submitted_message WHERE ${isGone('wx_submitted_message')}`, ids)
}

/**
 * The oldest sign-ins before a day. The streak up to a later day is kept in that day's own row. Uses
 * wx_sign_in_day_idx.
 */
export function findOldSignIns(
  db: Knex,
  appId: string,
  beforeDay: number,
  limit: number,
): Promise<{ user_id: UserId; day: number }[]> {
  return selectRows(
    db,
    'SELECT user_id, day FROM wx_sign_in WHERE app_id = ? AND day < ? ORDER BY day LIMIT ?',
    [appId, beforeDay, limit],
  )
}

export async function deleteSignIns(
  db: Knex,
  appId: string,
  day: number,
  userIds: UserId[],
): Promise<number> {
  const { affectedRows } = await execute(
    db,
    `DELETE FROM wx_sign_in WHERE app_id = ? AND day = ? AND user_id IN (${placeholders(userIds.length)})`,
    [appId, day, ...userIds],
  )
  return affectedRows
}
