import type { Knex } from 'knex'
import {
  execute,
  forUpdate,
  forUpdateNowait,
  forUpdateSkipLocked,
  isSqlite,
  MAX_LIST,
  placeholders,
  rowPlaceholders,
  scanRows,
  selectRows,
} from '../db/sql.js'
import { chunks } from '../lib/chunks.js'

export interface NewPermit {
  appId: string
  openId: string
  userId: number
  formId: string
  /** 1, and 2 and 3 of a prepay_id. */
  useNo: number
  source: 'form' | 'pay'
  page: string | undefined
  expire: number
}

type Uploaded = Pick<NewPermit, 'openId' | 'userId' | 'formId'>

export interface PermitOwner {
  open_id: string
  user_id: number
  form_id: string
}

/**
 * Who already owns the form_ids, without locks. Uses wx_save_form_id_permit_uq. MySQL compares without blanks at the
 * end, which another program may have written: so are they given.
 */
export async function findOwners(trx: Knex, appId: string, formIds: string[]): Promise<PermitOwner[]> {
  const found: PermitOwner[] = []
  for (const chunk of chunks(formIds, MAX_LIST)) {
    const rows = await selectRows<PermitOwner>(
      trx,
      `SELECT RTRIM(open_id) AS open_id, user_id, RTRIM(form_id) AS form_id FROM wx_save_form_id
       WHERE app_id = ? AND form_id IN (${placeholders(chunk.length)}) AND use_no = 1`,
      [appId, ...chunk],
    )
    found.push(...rows)
  }
  return found
}

/**
 * Fails at once, with a lock wait, if another transaction holds a row that an upload of these would have to wait for:
 * the person, the permit (committed or not), the counter. Keeps no lock: it is a statement of its own. By the keys,
 * since a plan that reads more meets the locks on other rows. MariaDB may still choose one for a list on a small table,
 * and not for a single permit.
 */
export async function assertNothingLocked(db: Knex, appId: string, permits: Uploaded[]): Promise<void> {
  const look = (table: string, key: string, column: string, values: (string | number)[], and = '') => ({
    sql: `(SELECT COUNT(*) FROM ${table} FORCE INDEX (${key}) WHERE app_id = ? AND ${column} IN (${placeholders(values.length)})${and}${forUpdateNowait(db)})`,
    bindings: [appId, ...values],
  })
  for (const chunk of chunks(permits, MAX_LIST)) {
    const openIds = sortedUnique(chunk.map(({ openId }) => openId))
    const formIds = sortedUnique(chunk.map(({ formId }) => formId))
    const userIds = sortedUnique(chunk.map(({ userId }) => userId))
    const looks = [
      look('wx_user', 'PRIMARY', 'open_id', openIds),
      look('wx_save_form_id', 'wx_save_form_id_permit_uq', 'form_id', formIds, ' AND use_no = 1'),
      look('wx_message_push_status', 'wx_message_push_status_user_uq', 'user_id', userIds),
    ]
    await selectRows(
      db,
      looks.map(({ sql }) => sql).join(' UNION ALL '),
      looks.flatMap(({ bindings }) => bindings),
    )
  }
}

function sortedUnique<T>(values: T[]): T[] {
  return [...new Set(values)].sort()
}

/** The counters of users that have one, without locks. */
export async function findCounts(trx: Knex, appId: string, userIds: number[]): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  for (const chunk of chunks(userIds, MAX_LIST)) {
    const rows = await selectRows<{ user_id: number; count: number }>(
      trx,
      `SELECT user_id, count FROM wx_message_push_status
       WHERE app_id = ? AND user_id IN (${placeholders(chunk.length)})`,
      [appId, ...chunk],
    )
    for (const { user_id, count } of rows) counts.set(user_id, count)
  }
  return counts
}

/** Inserts permits, sorted by key. Throws a duplicate error if another transaction was first with one of them. */
export async function insertPermits(trx: Knex, permits: NewPermit[], now: number): Promise<void> {
  for (const chunk of chunks(permits, MAX_LIST)) {
    await execute(
      trx,
      `INSERT INTO wx_save_form_id
         (app_id, open_id, user_id, form_id, use_no, source, page, expire, created_at, updated_at)
       VALUES ${rowPlaceholders(chunk.length, 10)}`,
      chunk.flatMap((p) => [
        p.appId,
        p.openId,
        p.userId,
        p.formId,
        p.useNo,
        p.source,
        p.page ?? null,
        p.expire,
        now,
        now,
      ]),
    )
  }
}

export interface CounterChange {
  appId: string
  userId: number
  by: number
}

/** Counts users up, creating their row with the first permit. `changes` sorted by account and user. */
export async function countUp(trx: Knex, changes: CounterChange[], now: number): Promise<void> {
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id, user_id) DO UPDATE SET count = count + excluded.count, updated_at = excluded.updated_at'
    : 'ON DUPLICATE KEY UPDATE count = count + VALUES(count), updated_at = VALUES(updated_at)'
  for (const chunk of chunks(changes, MAX_LIST)) {
    await execute(
      trx,
      `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
       VALUES ${rowPlaceholders(chunk.length, 6)} ${onDuplicate}`,
      chunk.flatMap((change) => [change.appId, change.userId, change.by, 0, now, now]),
    )
  }
}

export interface StalePermit {
  id: number
  expire: number
}

/** Unspent permits that ran out before `now`, in order from a position, without locks. Uses wx_save_form_id_stale_idx. */
export async function findStale(
  db: Knex,
  appId: string,
  after: StalePermit,
  now: number,
  limit: number,
): Promise<StalePermit[]> {
  return selectRows<StalePermit>(
    db,
    `SELECT id, expire FROM wx_save_form_id
     WHERE app_id = ? AND expire >= ? AND expire < ? AND (expire > ? OR id > ?) AND status = 0
     ORDER BY expire, id LIMIT ?`,
    [appId, after.expire, now, after.expire, after.id, limit],
  )
}

/** Locks those permits that are still unspent and that nobody else holds, by ascending id. */
export async function lockUnspent(trx: Knex, ids: number[]): Promise<{ id: number; user_id: number }[]> {
  return selectRows(
    trx,
    `SELECT id, user_id FROM wx_save_form_id WHERE id IN (${placeholders(ids.length)}) AND status = 0
     ORDER BY id${forUpdateSkipLocked(trx)}`,
    ids,
  )
}

/** Locks counters by ascending user: the second step of the one lock order. */
export async function lockCounters(trx: Knex, appId: string, userIds: number[]): Promise<void> {
  await selectRows(
    trx,
    `SELECT user_id FROM wx_message_push_status WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)})
     ORDER BY user_id${forUpdate(trx)}`,
    [appId, ...userIds],
  )
}

export async function markExpired(trx: Knex, ids: number[], now: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_save_form_id SET status = 2, updated_at = ? WHERE id IN (${placeholders(ids.length)})`,
    [now, ...ids],
  )
}

/** Counts users down by the same amount. A counter that was set too low by hand stops at 0; the audit names it. */
export async function countDown(
  trx: Knex,
  appId: string,
  userIds: number[],
  by: number,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_message_push_status SET count = CASE WHEN count > ? THEN count - ? ELSE 0 END, updated_at = ?
     WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)})`,
    [by, by, now, appId, ...userIds],
  )
}

/** How many users lost a permit in a sweep, which stamped its rows with `now`. */
export async function countExpiredUsers(db: Knex, appId: string, from: number, now: number): Promise<number> {
  const [row] = await selectRows<{ users: number }>(
    db,
    `SELECT COUNT(DISTINCT user_id) AS users FROM wx_save_form_id
     WHERE app_id = ? AND expire >= ? AND expire < ? AND status = 2 AND updated_at = ?`,
    [appId, from, now, now],
  )
  return row?.users ?? 0
}

/** Up to which `expire` the last finished sweep looked; 0 if a full pass is due, because none was finished since `fullPassSince`. */
export async function findLowWater(db: Knex, appId: string, fullPassSince: number): Promise<number> {
  const finished = `FROM wx_job_run WHERE job = 'expire' AND app_id = ? AND state = 'done'`
  const [fullPass] = await selectRows(db, `SELECT 1 ${finished} AND slot > ? AND swept_from = 0 LIMIT 1`, [
    appId,
    fullPassSince,
  ])
  if (!fullPass) return 0
  const [last] = await selectRows<{ swept_to: number }>(
    db,
    `SELECT swept_to ${finished} ORDER BY slot DESC LIMIT 1`,
    [appId],
  )
  return last?.swept_to ?? 0
}

export async function recordSweep(
  db: Knex,
  runId: number,
  sweep: { from: number; to: number; expired: number; users: number },
): Promise<void> {
  await execute(
    db,
    'UPDATE wx_job_run SET swept_from = ?, swept_to = ?, expired = ?, expired_users = ? WHERE id = ?',
    [sweep.from, sweep.to, sweep.expired, sweep.users, runId],
  )
}

/** Locks a user's unspent permits and answers how many they are. */
export async function lockUnspentOf(trx: Knex, appId: string, userId: number): Promise<number> {
  const rows = await selectRows(
    trx,
    `SELECT id FROM wx_save_form_id WHERE app_id = ? AND user_id = ? AND status = 0 ORDER BY id${forUpdate(trx)}`,
    [appId, userId],
  )
  return rows.length
}

/** Locks the unspent permits that one open_id gave for a user, by ascending id. Uses wx_save_form_id_oldest_idx. */
export async function lockUnspentGivenBy(
  trx: Knex,
  appId: string,
  userId: number,
  openId: string,
): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_save_form_id WHERE app_id = ? AND user_id = ? AND open_id = ? AND status = 0
     ORDER BY id${forUpdate(trx)}`,
    [appId, userId, openId],
  )
  return rows.map(({ id }) => id)
}

/** Makes permits another user's. The counters are the caller's. */
export async function givePermits(trx: Knex, ids: number[], userId: number, now: number): Promise<void> {
  for (const chunk of chunks(ids, MAX_LIST)) {
    await execute(
      trx,
      `UPDATE wx_save_form_id SET user_id = ?, updated_at = ? WHERE id IN (${placeholders(chunk.length)})`,
      [userId, now, ...chunk],
    )
  }
}

export async function setCounter(
  trx: Knex,
  appId: string,
  userId: number,
  count: number,
  now: number,
): Promise<void> {
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id, user_id) DO UPDATE SET count = excluded.count, updated_at = excluded.updated_at'
    : 'ON DUPLICATE KEY UPDATE count = VALUES(count), updated_at = VALUES(updated_at)'
  await execute(
    trx,
    `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
     VALUES (?, ?, ?, 0, ?, ?) ${onDuplicate}`,
    [appId, userId, count, now, now],
  )
}

/** The accounts that have permits. Reads one index entry for each (loose index scan), or the index where the database cannot. */
export async function findAppIds(db: Knex): Promise<string[]> {
  const rows = await scanRows<{ app_id: string }>(db, 'SELECT DISTINCT app_id FROM wx_save_form_id')
  return rows.map(({ app_id }) => app_id)
}

/** How many permits a full sweep would expire, for a progress bar. */
export async function countStale(db: Knex, appIds: string[], now: number): Promise<number> {
  if (appIds.length === 0) return 0
  const [row] = await scanRows<{ stale: number }>(
    db,
    `SELECT COUNT(*) AS stale FROM wx_save_form_id
     WHERE app_id IN (${placeholders(appIds.length)}) AND expire < ? AND status = 0`,
    [...appIds, now],
  )
  return row?.stale ?? 0
}
