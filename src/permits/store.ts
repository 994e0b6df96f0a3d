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
  selectRows,
} from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import type { UserId } from '../lib/user-id.js'

export interface NewPermit {
  appId: string
  openId: string
  userId: UserId
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
  user_id: UserId
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
  const look = (table: string, key: string, column: string, values: (string | UserId)[], and = '') => ({
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
export async function findCounts(trx: Knex, appId: string, userIds: UserId[]): Promise<Map<UserId, number>> {
  const counts = new Map<UserId, number>()
  for (const chunk of chunks(userIds, MAX_LIST)) {
    const rows = await selectRows<{ user_id: UserId; count: number }>(
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
  userId: UserId
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

/** A place in the order of expiry: wx_save_form_id_stale_idx, in which the id comes last. */
export interface Place {
  id: number
  expire: number
}

/**
 * The place of the permit `rows` further on, settled ones included; undefined when fewer are left before `until`. Read
 * from the index alone. What lies in between bounds what findStale examines, however few of it are still unspent.
 */
export async function findPlace(
  db: Knex,
  appId: string,
  after: Place,
  until: number,
  rows: number,
): Promise<Place | undefined> {
  const { sql, bindings } = isBetween(db, after, { expire: until, id: 0 })
  const [place] = await selectRows<Place>(
    db,
    `SELECT expire, id FROM wx_save_form_id WHERE app_id = ? AND ${sql}
     ORDER BY expire, id LIMIT 1 OFFSET ${rows - 1}`,
    [appId, ...bindings],
  )
  return place
}

/** The unspent permits between two places, the second one included, without locks. Uses wx_save_form_id_stale_idx. */
export async function findStale(db: Knex, appId: string, after: Place, to: Place): Promise<Place[]> {
  const { sql, bindings } = isBetween(db, after, to)
  return selectRows<Place>(
    db,
    `SELECT expire, id FROM wx_save_form_id WHERE app_id = ? AND ${sql} AND status = 0 ORDER BY expire, id`,
    [appId, ...bindings],
  )
}

/**
 * Permits of one expiry may be many, so a place within them counts. MySQL makes ranges of the index of these
 * alternatives, id included, but not of a comparison of pairs; SQLite the other way round.
 */
export function isBetween(
  db: Knex,
  after: Place,
  to: Place,
  table: '' | 'f.' = '',
): { sql: string; bindings: number[] } {
  const expire = `${table}expire`
  const id = `${table}id`
  const low = [after.expire, after.id]
  const high = [to.expire, to.id]
  if (isSqlite(db))
    return {
      sql: `(${expire}, ${id}) > (?, ?) AND (${expire}, ${id}) <= (?, ?)`,
      bindings: [...low, ...high],
    }
  if (after.expire === to.expire)
    return { sql: `${expire} = ? AND ${id} > ? AND ${id} <= ?`, bindings: [...low, to.id] }
  return {
    sql: `(${expire} = ? AND ${id} > ? OR ${expire} > ? AND ${expire} < ? OR ${expire} = ? AND ${id} <= ?)`,
    bindings: [...low, after.expire, to.expire, ...high],
  }
}

/** Locks those permits that are still unspent and that nobody else holds, by ascending id. */
export async function lockUnspent(trx: Knex, ids: number[]): Promise<{ id: number; user_id: UserId }[]> {
  return selectRows(
    trx,
    `SELECT id, user_id FROM wx_save_form_id WHERE id IN (${placeholders(ids.length)}) AND status = 0
     ORDER BY id${forUpdateSkipLocked(trx)}`,
    ids,
  )
}

/** Locks counters by ascending user: the second step of the one lock order. */
export async function lockCounters(trx: Knex, appId: string, userIds: UserId[]): Promise<void> {
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
  userIds: UserId[],
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

/**
 * Those of the users who have lost a permit to this sweep before, of those that run out from `from` on: it stamps its
 * rows with `now`. Uses wx_save_form_id_oldest_idx.
 */
export async function findLosers(
  trx: Knex,
  appId: string,
  userIds: UserId[],
  from: number,
  now: number,
): Promise<UserId[]> {
  const rows = await selectRows<{ user_id: UserId }>(
    trx,
    `SELECT DISTINCT user_id FROM wx_save_form_id
     WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)}) AND expire >= ? AND expire < ?
       AND status = 2 AND updated_at = ?`,
    [appId, ...userIds, from, now, now],
  )
  return rows.map(({ user_id }) => user_id)
}

export interface SweepCount {
  expired: number
  users: number
}

/** How far sweeps have come. */
export interface Progress {
  /** Up to which `expire` they have looked. */
  sweptTo: number
  /** When the last pass through the rows far below that began, and where it stands; null = it is over. */
  passStartedAt: number
  passAt: number | null
}

/** As the newest sweep left it, however that one ended. */
export async function findProgress(db: Knex, appId: string): Promise<Progress | undefined> {
  const [last] = await selectRows<{ swept_to: number; pass_started_at: number; pass_at: number | null }>(
    db,
    `SELECT swept_to, pass_started_at, pass_at FROM wx_job_run
     WHERE job = 'expire' AND app_id = ? AND swept_to IS NOT NULL ORDER BY slot DESC LIMIT 1`,
    [appId],
  )
  return last && { sweptTo: last.swept_to, passStartedAt: last.pass_started_at, passAt: last.pass_at }
}

export async function recordSweep(
  db: Knex,
  runId: number,
  sweep: Progress & SweepCount & { from: number },
): Promise<void> {
  await execute(
    db,
    `UPDATE wx_job_run SET swept_from = ?, swept_to = ?, pass_started_at = ?, pass_at = ?, expired = ?,
       expired_users = ? WHERE id = ?`,
    [sweep.from, sweep.sweptTo, sweep.passStartedAt, sweep.passAt, sweep.expired, sweep.users, runId],
  )
}

/** How many unspent permits a user has, without locks. Uses wx_save_form_id_oldest_idx. */
export async function countUnspentOf(db: Knex, appId: string, userId: UserId): Promise<number> {
  const [row] = await selectRows<{ permits: number }>(
    db,
    'SELECT COUNT(*) AS permits FROM wx_save_form_id WHERE app_id = ? AND user_id = ? AND status = 0',
    [appId, userId],
  )
  return row?.permits ?? 0
}

/** Locks the unspent permits that one open_id gave for a user, by ascending id. Uses wx_save_form_id_oldest_idx. */
export async function lockUnspentGivenBy(
  trx: Knex,
  appId: string,
  userId: UserId,
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
export async function givePermits(trx: Knex, ids: number[], userId: UserId, now: number): Promise<void> {
  for (const chunk of chunks(ids, MAX_LIST)) {
    await execute(
      trx,
      `UPDATE wx_save_form_id SET user_id = ?, updated_at = ? WHERE id IN (${placeholders(chunk.length)})`,
      [userId, now, ...chunk],
    )
  }
}

/** Locks a user's counter, creating it if need be. */
export async function lockCounter(trx: Knex, appId: string, userId: UserId, now: number): Promise<void> {
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id, user_id) DO NOTHING'
    : 'ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)'
  await execute(
    trx,
    `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
     VALUES (?, ?, 0, 0, ?, ?) ${onDuplicate}`,
    [appId, userId, now, now],
  )
}

export async function setCounter(
  trx: Knex,
  appId: string,
  userId: UserId,
  count: number,
  now: number,
): Promise<void> {
  await execute(
    trx,
    'UPDATE wx_message_push_status SET count = ?, updated_at = ? WHERE app_id = ? AND user_id = ?',
    [count, now, appId, userId],
  )
}

/** The accounts that have permits. One look at an index for each. */
export async function findAppIds(db: Knex): Promise<string[]> {
  const appIds: string[] = []
  for (let where = '', bindings: string[] = []; ; where = ' WHERE app_id > ?') {
    const [row] = await selectRows<{ app_id: string | null }>(
      db,
      `SELECT MIN(app_id) AS app_id FROM wx_save_form_id${where}`,
      bindings,
    )
    if (!row || row.app_id === null) return appIds
    appIds.push(row.app_id)
    bindings = [row.app_id]
  }
}
