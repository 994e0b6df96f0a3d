import type { Knex } from 'knex'
import { forUpdateNowait, isSqlite, MAX_LIST, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'

interface Uploaded {
  openId: string
  userId: UserId
  formId: string
}

/** What the tables know of some uploads to one account. */
export interface Known {
  /** open_id -> user; null if the open_id belongs to nobody yet. */
  users: Map<string, UserId | null>
  /** form_id -> who owns it. */
  owners: Map<string, Owner>
  /** user -> unspent permits, of those who have a counter. */
  counts: Map<UserId, number>
}

export interface Owner {
  openId: string
  userId: UserId
}

/** What the tables know of these uploads, without locks. */
export function findKnown(db: Knex, appId: string, permits: Uploaded[]): Promise<Known> {
  return readKnown(db, appId, permits, '')
}

/**
 * findKnown, unless another transaction holds a row that an upload of these would have to wait for: the
 * person, the permit (committed or not), the counter. Then it fails at once, with a lock wait. Keeps no lock,
 * because it is a statement of its own. It reads by the keys, since a plan that reads more would meet the
 * locks on other rows. For a list on a small table MariaDB may still choose such a plan, but not for a single
 * permit.
 */
export function findKnownUnlocked(db: Knex, appId: string, permits: Uploaded[]): Promise<Known> {
  return readKnown(db, appId, permits, forUpdateNowait(db))
}

interface KnownRow {
  open_id: string | null
  form_id: string | null
  user_id: UserId | null
  count: number | null
}

/**
 * Persons, owners and counters in one statement: a round trip costs a small group more than the rows. MySQL
 * ignores trailing blanks in comparisons, and another program may have written some, so they are trimmed here.
 */
async function readKnown(db: Knex, appId: string, permits: Uploaded[], lock: string): Promise<Known> {
  const known: Known = { users: new Map(), owners: new Map(), counts: new Map() }
  for (const chunk of chunks(permits, MAX_LIST)) {
    const openIds = sortedUnique(chunk.map(({ openId }) => openId))
    const formIds = sortedUnique(chunk.map(({ formId }) => formId))
    const userIds = sortedUnique(chunk.map(({ userId }) => userId))
    const key = (name: string) => mysqlHint(db, `FORCE INDEX (${name})`)
    const looks = [
      `SELECT RTRIM(open_id) AS open_id, NULL AS form_id, user_id, NULL AS count FROM wx_user${key('PRIMARY')}
       WHERE app_id = ? AND open_id IN (${placeholders(openIds.length)})`,
      `SELECT RTRIM(open_id), RTRIM(form_id), user_id, NULL FROM wx_save_form_id${key('wx_save_form_id_permit_uq')}
       WHERE app_id = ? AND form_id IN (${placeholders(formIds.length)}) AND use_no = 1`,
      `SELECT NULL, NULL, user_id, count FROM wx_message_push_status${key('PRIMARY')}
       WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)})`,
    ]
    const one = (sql: string) => (isSqlite(db) ? sql : `(${sql}${lock})`)
    const rows = await selectRows<KnownRow>(db, looks.map(one).join(' UNION ALL '), [
      appId,
      ...openIds,
      appId,
      ...formIds,
      appId,
      ...userIds,
    ])
    for (const row of rows) note(known, row)
  }
  return known
}

function note({ users, owners, counts }: Known, { open_id, form_id, user_id, count }: KnownRow): void {
  if (open_id === null) counts.set(user_id ?? 0, count ?? 0)
  else if (form_id === null) users.set(open_id, user_id)
  else owners.set(form_id, { openId: open_id, userId: user_id ?? 0 })
}

/** The counters of users that have one, without locks. */
export async function findCounts(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
): Promise<Map<UserId, number>> {
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

/** A place in the order of expiry: wx_save_form_id_stale_idx, in which the id follows. */
export interface Place {
  id: number
  expire: number
}

/**
 * The place of the permit `rows` further on, settled ones included; undefined if fewer are left before
 * `until`. Read from the index alone. The rows in between bound what findStale examines, however few of them
 * are still unspent.
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
    `SELECT expire, id FROM wx_save_form_id${notByUser(db)} WHERE app_id = ? AND ${sql}
     ORDER BY expire, id LIMIT 1 OFFSET ${rows - 1}`,
    [appId, ...bindings],
  )
  return place
}

export interface Entry extends Place {
  user_id: UserId
}

/** The next `rows` permits after a place and before `until`, settled ones included. Read from the index alone. */
export async function findEntries(
  db: Knex,
  appId: string,
  after: Place,
  until: number,
  rows: number,
): Promise<Entry[]> {
  const { sql, bindings } = isBetween(db, after, { expire: until, id: 0 })
  return selectRows<Entry>(
    db,
    `SELECT expire, id, user_id FROM wx_save_form_id${notByUser(db)} WHERE app_id = ? AND ${sql}
     ORDER BY expire, id LIMIT ${rows}`,
    [appId, ...bindings],
  )
}

/** The unspent permits between two places, the second one included, without locks. Uses wx_save_form_id_stale_idx. */
export async function findStale(db: Knex, appId: string, after: Place, to: Place): Promise<Entry[]> {
  const { sql, bindings } = isBetween(db, after, to)
  return selectRows<Entry>(
    db,
    `SELECT expire, id, user_id FROM wx_save_form_id${notByUser(db)}
     WHERE app_id = ? AND ${sql} AND status = 0 ORDER BY expire, id`,
    [appId, ...bindings],
  )
}

/**
 * For a statement on a stretch of isBetween. The rows lie by account and user, so reading all of the account's looks
 * cheap to MariaDB: it was seen to prefer that to a stretch of 100 among 20,000 permits of one moment.
 */
export function notByUser(db: Knex): string {
  return mysqlHint(db, 'IGNORE INDEX (PRIMARY)')
}

/**
 * Many permits may have the same expiry, so a place among them counts. MySQL turns these alternatives into
 * ranges of the index, id included, but not a comparison of pairs; with SQLite it is the other way round.
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

/**
 * The users among these who have already lost a permit to this sweep, looking at permits that run out from
 * `from` on: the sweep stamps its rows with `now`. Uses the key by user.
 */
export async function findLosers(
  trx: Knex.Transaction,
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

/** The accounts that have permits. One index lookup for each. */
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
