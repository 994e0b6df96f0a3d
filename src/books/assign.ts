import type { Knex } from 'knex'
import { isDuplicate } from '../db/errors.js'
import {
  asCompared,
  execute,
  forUpdate,
  isSqlite,
  placeholders,
  rowPlaceholders,
  selectRows,
} from '../db/sql.js'
import { inTransaction } from '../db/transaction.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { byId } from './locked-permits.js'

const CHUNK = 500
const MAX_ATTEMPTS = 5
const MAX_APP_ID = 64

export interface Assigned {
  permits: number
  /** Of these, permits that the account already had. They get the next free use_no, and unspent ones expire. */
  duplicates: number
  counters: number
}

interface Row {
  id: number
  user_id: UserId
  form_id: string
  use_no: number
}

/**
 * Gives rows without an account (adopted or written by hand) to this one. It works in chunks, so that a concurrent
 * sweep or ingest hardly waits. The account's counters are exact at every commit. With nothing to do it costs two
 * index look-ups.
 */
export async function assignUnassigned(db: Knex, appId: string, now: number): Promise<Assigned> {
  if (appId === '' || appId.length > MAX_APP_ID)
    throw new Error('assignUnassigned needs the app_id of an account')
  const total: Assigned = { permits: 0, duplicates: 0, counters: 0 }
  for (const assignChunk of [assignPermits, assignCounters]) {
    for (let idle = 0; idle < MAX_ATTEMPTS; ) {
      const done = await untilUnique(() => inTransaction(db, (trx) => assignChunk(trx, appId, now)))
      if (done === null) break
      total.permits += done.permits
      total.duplicates += done.duplicates
      total.counters += done.counters
      // Another process may be faster for a while. Rows that nobody manages to assign must not hold up a start
      // forever.
      idle = done.permits + done.counters === 0 ? idle + 1 : 0
    }
  }
  return total
}

/** The use_no given to a duplicate may be taken between our read and our write; the next attempt sees it. */
async function untilUnique<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isDuplicate(error) || attempt === MAX_ATTEMPTS) throw error
    }
  }
}

/** Assigns one chunk of permits. Returns null when none is left. */
async function assignPermits(trx: Knex.Transaction, appId: string, now: number): Promise<Assigned | null> {
  // No ORDER BY: with it, MySQL might walk the ids of the whole table to find a few rows.
  const found = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_save_form_id WHERE app_id = '' LIMIT ${CHUNK}`,
  )
  if (found.length === 0) return null
  const ids = sortedUnique(found.map(({ id }) => id))
  const rows = await selectRows<Row>(
    trx,
    `SELECT id, user_id, form_id, use_no FROM wx_save_form_id${byId(trx)}
     WHERE id IN (${placeholders(ids.length)}) AND app_id = '' ORDER BY id${forUpdate(trx)}`,
    ids,
  )
  // Another process has assigned all of them: look again.
  if (rows.length === 0) return { permits: 0, duplicates: 0, counters: 0 }

  const { fresh, duplicates } = await sortOut(trx, appId, rows)
  const missed = await giveTo(trx, appId, fresh, now)
  for (const { id, useNo } of duplicates)
    await execute(
      trx,
      `UPDATE wx_save_form_id SET app_id = ?, use_no = ?, status = CASE status WHEN 0 THEN 2 ELSE status END,
       updated_at = ? WHERE id = ?`,
      [appId, useNo, now, id],
    )
  const counters = await moveCounters(trx, appId, usersOf(rows), now)
  return { permits: rows.length - missed, duplicates: duplicates.length, counters }
}

/**
 * IGNORE skips a row if an ingest has inserted the same permit since our read; the next chunk finds it as a
 * duplicate. Returns the number of rows skipped.
 */
async function giveTo(trx: Knex.Transaction, appId: string, ids: number[], now: number): Promise<number> {
  if (ids.length === 0) return 0
  const list = placeholders(ids.length)
  await execute(
    trx,
    `UPDATE ${isSqlite(trx) ? 'OR IGNORE' : 'IGNORE'} wx_save_form_id${byId(trx)} SET app_id = ?, updated_at = ? WHERE id IN (${list})`,
    [appId, now, ...ids],
  )
  const missed = await selectRows(
    trx,
    `SELECT id FROM wx_save_form_id WHERE id IN (${list}) AND app_id = ''`,
    ids,
  )
  return missed.length
}

/** Finds the rows whose form_id and use_no the account already has, and the next free use_no for each of them. */
async function sortOut(
  trx: Knex.Transaction,
  appId: string,
  rows: Row[],
): Promise<{ fresh: number[]; duplicates: { id: number; useNo: number }[] }> {
  const textOf = ({ form_id }: { form_id: string }) => asCompared(trx, form_id)
  const permitKey = (permit: { form_id: string; use_no: number }) => `${textOf(permit)} ${permit.use_no}`
  const formIds = sortedUnique(rows.map(({ form_id }) => form_id))
  const uses = await selectRows<{ app_id: string; form_id: string; use_no: number }>(
    trx,
    `SELECT app_id, form_id, use_no FROM wx_save_form_id
     WHERE app_id IN ('', ?) AND form_id IN (${placeholders(formIds.length)})`,
    [appId, ...formIds],
  )
  const taken = new Set(uses.filter(({ app_id }) => app_id === appId).map((use) => permitKey(use)))
  // The highest of both, so that a duplicate does not take the use_no of a row in a later chunk.
  const highest = new Map<string, number>()
  for (const use of uses) highest.set(textOf(use), Math.max(highest.get(textOf(use)) ?? 0, use.use_no))

  const fresh: number[] = []
  const duplicates: { id: number; useNo: number }[] = []
  for (const row of rows) {
    if (!taken.has(permitKey(row))) {
      fresh.push(row.id)
      continue
    }
    const useNo = (highest.get(textOf(row)) ?? 0) + 1
    highest.set(textOf(row), useNo)
    duplicates.push({ id: row.id, useNo })
  }
  return { fresh, duplicates }
}

/** Assigns the counters of users who have no unassigned permit. */
async function assignCounters(trx: Knex.Transaction, appId: string, now: number): Promise<Assigned | null> {
  const found = await selectRows<{ user_id: UserId }>(
    trx,
    `SELECT user_id FROM wx_message_push_status WHERE app_id = '' LIMIT ${CHUNK}`,
  )
  if (found.length === 0) return null
  return { permits: 0, duplicates: 0, counters: await moveCounters(trx, appId, usersOf(found), now) }
}

/**
 * Merges these users' unassigned counters into the account's, and recounts them. It locks every counter first and
 * then reads the permits without locks: a transaction that has changed a permit but not yet its counter adds its
 * change later.
 */
async function moveCounters(
  trx: Knex.Transaction,
  appId: string,
  users: UserId[],
  now: number,
): Promise<number> {
  const list = placeholders(users.length)
  const moved = await selectRows<{ user_id: UserId; last_date: number }>(
    trx,
    `SELECT user_id, last_date FROM wx_message_push_status
     WHERE app_id = '' AND user_id IN (${list}) ORDER BY user_id${forUpdate(trx)}`,
    users,
  )
  await upsertCounters(trx, appId, users, now, { counts: new Map(), lastDates: new Map() }, 'touch')
  const counted = await selectRows<{ user_id: UserId; n: number }>(
    trx,
    `SELECT user_id, COUNT(*) AS n FROM wx_save_form_id
     WHERE app_id = ? AND user_id IN (${list}) AND status = 0 GROUP BY user_id`,
    [appId, ...users],
  )
  const counts = new Map(counted.map(({ user_id, n }) => [user_id, n]))
  const lastDates = new Map(moved.map(({ user_id, last_date }) => [user_id, last_date]))
  await upsertCounters(trx, appId, users, now, { counts, lastDates }, 'set')
  await execute(trx, `DELETE FROM wx_message_push_status WHERE app_id = '' AND user_id IN (${list})`, users)
  return moved.length
}

/**
 * Writes one row per user, in the order given: `touch` creates and locks it, `set` writes count and the later
 * last_date.
 */
async function upsertCounters(
  trx: Knex.Transaction,
  appId: string,
  users: UserId[],
  now: number,
  { counts, lastDates }: { counts: Map<UserId, number>; lastDates: Map<UserId, number> },
  mode: 'touch' | 'set',
): Promise<void> {
  const rows = users.flatMap((user) => [
    appId,
    user,
    counts.get(user) ?? 0,
    lastDates.get(user) ?? 0,
    now,
    now,
  ])
  await execute(
    trx,
    `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
     VALUES ${rowPlaceholders(users.length, 6)} ${onConflict(trx, mode)}`,
    rows,
  )
}

function onConflict(trx: Knex.Transaction, mode: 'touch' | 'set'): string {
  if (isSqlite(trx))
    return mode === 'touch'
      ? 'ON CONFLICT (app_id, user_id) DO NOTHING'
      : `ON CONFLICT (app_id, user_id) DO UPDATE SET count = excluded.count,
         last_date = MAX(last_date, excluded.last_date), updated_at = excluded.updated_at`
  return mode === 'touch'
    ? 'ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)'
    : `ON DUPLICATE KEY UPDATE count = VALUES(count), last_date = GREATEST(last_date, VALUES(last_date)),
       updated_at = VALUES(updated_at)`
}

const usersOf = (rows: { user_id: UserId }[]) => sortedUnique(rows.map(({ user_id }) => user_id))
