import type { Knex } from 'knex'
import { isSqlite, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

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
    `SELECT expire, id FROM wx_save_form_id${byExpiry(db)} WHERE app_id = ? AND ${sql}
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
    `SELECT expire, id, user_id FROM wx_save_form_id${byExpiry(db)} WHERE app_id = ? AND ${sql}
     ORDER BY expire, id LIMIT ${rows}`,
    [appId, ...bindings],
  )
}

/** The unspent permits between two places, the second one included, without locks. Uses wx_save_form_id_stale_idx. */
export async function findStale(db: Knex, appId: string, after: Place, to: Place): Promise<Entry[]> {
  const { sql, bindings } = isBetween(db, after, to)
  return selectRows<Entry>(
    db,
    `SELECT expire, id, user_id FROM wx_save_form_id${byExpiry(db)}
     WHERE app_id = ? AND ${sql} AND status = 0 ORDER BY expire, id`,
    [appId, ...bindings],
  )
}

/**
 * For a statement on a stretch of isBetween. Reading all permits of the account looks cheap to the servers where they know
 * little of the table: MariaDB was seen to do so by the primary key for a stretch of 100 among 20,000 permits of one
 * moment, and MySQL by the keys of the oldest permit and of the form_id. Each server takes what the other reads as a
 * comment: with the key named, MariaDB would read 5 entries a row of one moment, and not 3.
 */
export function byExpiry(db: Knex): string {
  return mysqlHint(db, '/*M! IGNORE INDEX (PRIMARY) */ /*!80000 USE INDEX (wx_save_form_id_stale_idx) */')
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
