import type { Knex } from 'knex'
import { execute, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/** A slice of a table, read by primary key: a purge needs no index of its own. */
export interface Slice {
  /** Position after the rows that were read; undefined when the rest is too young, or there is none. */
  next: number | undefined
  /** Of these, the rows that may go. */
  old: number[]
}

interface Row {
  id: number
  created_at: number
  is_old: number
}

/** Messages settled before `before`. Those that are not settled stay, however old. */
export async function readMessages(db: Knex, after: number, before: number, limit: number): Promise<Slice> {
  const rows = await selectRows<Row>(
    db,
    `SELECT id, created_at, CASE WHEN settled_at < ? THEN 1 ELSE 0 END AS is_old
     FROM wx_push_message WHERE id > ? ORDER BY id LIMIT ?`,
    [before, after, limit],
  )
  return toSlice(rows, before, limit)
}

/**
 * Spent and expired permits that nobody has touched since `before`, and whose message is gone as well. Adopted rows
 * have no times of ours (0): for them, as for all, the time they ran out counts too. Subscriptions never run out.
 */
export async function readPermits(db: Knex, after: number, before: number, limit: number): Promise<Slice> {
  const rows = await selectRows<Row>(
    db,
    `SELECT f.id, f.created_at, CASE WHEN f.status <> 0 AND f.updated_at < ? AND m.id IS NULL
       AND (f.expire < ? OR f.source = 'subscribe') THEN 1 ELSE 0 END AS is_old
     FROM wx_save_form_id f LEFT JOIN wx_push_message m ON m.id = f.message_id
     WHERE f.id > ? ORDER BY f.id LIMIT ?`,
    [before, before, after, limit],
  )
  return toSlice(rows, before, limit)
}

/** Ended runs whose messages are gone. */
export async function readRuns(db: Knex, after: number, before: number, limit: number): Promise<Slice> {
  const rows = await selectRows<Row>(
    db,
    `SELECT r.id, r.started_at AS created_at, CASE WHEN r.state <> 'running' AND r.updated_at < ?
       AND NOT EXISTS (SELECT 1 FROM wx_push_message m WHERE m.run_id = r.id) THEN 1 ELSE 0 END AS is_old
     FROM wx_job_run r WHERE r.id > ? ORDER BY r.id LIMIT ?`,
    [before, after, limit],
  )
  return toSlice(rows, before, limit)
}

/** Events of WeChat, worked off or not, and the marks of accepted pushes. */
export async function readReceived(
  db: Knex,
  table: 'wx_callback_event' | 'wx_callback_nonce',
  { after, before, limit }: { after: number; before: number; limit: number },
): Promise<Slice> {
  const rows = await selectRows<Row>(
    db,
    `SELECT id, received_at AS created_at, CASE WHEN received_at < ? THEN 1 ELSE 0 END AS is_old
     FROM ${table} WHERE id > ? ORDER BY id LIMIT ?`,
    [before, after, limit],
  )
  return toSlice(rows, before, limit)
}

/** Ids grow with time, so the first row that is too young ends the purge of its table. */
function toSlice(rows: Row[], before: number, limit: number): Slice {
  const old = rows.filter((row) => row.is_old === 1).map(({ id }) => id)
  const last = rows.at(-1)
  const isEnd = rows.length < limit || !last || last.created_at >= before
  return { next: isEnd ? undefined : last.id, old }
}

/**
 * Deletes by id and looks once more at what may have changed since the rows were read. A permit that is unspent again
 * (given back) counts in its user's counter, and stays.
 */
export async function deleteRows(
  db: Knex,
  table: 'wx_push_message' | 'wx_save_form_id' | 'wx_job_run' | 'wx_callback_event' | 'wx_callback_nonce',
  ids: number[],
): Promise<number> {
  const still = {
    wx_push_message: 'settled_at IS NOT NULL',
    wx_save_form_id: 'status <> 0',
    wx_job_run: "state <> 'running'",
    wx_callback_event: '1 = 1',
    wx_callback_nonce: '1 = 1',
  }
  const { affectedRows } = await execute(
    db,
    `DELETE FROM ${table} WHERE id IN (${placeholders(ids.length)}) AND ${still[table]}`,
    ids,
  )
  return affectedRows
}

/** Cursors of runs that are gone. */
export async function deleteCursors(db: Knex, runIds: number[]): Promise<void> {
  await execute(db, `DELETE FROM wx_job_cursor WHERE run_id IN (${placeholders(runIds.length)})`, runIds)
}

/** The oldest sign-ins before a day. The streak up to a later day is kept in that day's own row. Uses wx_sign_in_day_idx. */
export function findOldSignIns(
  db: Knex,
  beforeDay: number,
  limit: number,
): Promise<{ app_id: string; user_id: UserId; day: number }[]> {
  return selectRows(db, 'SELECT app_id, user_id, day FROM wx_sign_in WHERE day < ? ORDER BY day LIMIT ?', [
    beforeDay,
    limit,
  ])
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

export async function recordPurge(db: Knex, runId: number, purged: number): Promise<void> {
  await execute(db, 'UPDATE wx_job_run SET purged = ? WHERE id = ?', [purged, runId])
}
