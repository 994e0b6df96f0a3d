import type { Knex } from 'knex'
import {
  execute,
  forUpdateNowait,
  forUpdateSkipLocked,
  MAX_LIST,
  mysqlHint,
  placeholders,
  selectRows,
  type Value,
} from '../db/sql.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { countByUser, countDown, lockCounters } from './counters.js'
import { PermitsMoved } from './take.js'

/** Permits of some users that run out from `from` to before `until`. */
export interface StaleOf {
  /** At most MAX_LIST. */
  users: UserId[]
  from: number
  until: number
}

export interface ExpiredPermits {
  ids: Set<number>
  /** Those who lost one. */
  users: UserId[]
}

interface Stale {
  id: number
  user_id: UserId
}

/**
 * Expires permits that are still unspent and that no other transaction holds: sets status 2 and counts each user down
 * by exactly as many. Takes MAX_LIST of them at most, in the order of users.
 */
export async function expireFree(
  trx: Knex.Transaction,
  appId: string,
  stale: StaleOf,
  now: number,
): Promise<ExpiredPermits> {
  return expireLocked(trx, appId, await lockStale(trx, appId, stale, forUpdateSkipLocked(trx)), stale, now)
}

/**
 * The same for all permits of these users, which costs the database a fifth less, because nothing names their ids.
 * If it returns MAX_LIST of them, there may be more. Fails with a lock wait, at once, if another transaction holds a
 * permit of these users and times, and throws PermitsMoved if one became unspent meanwhile.
 */
export async function expireAll(
  trx: Knex.Transaction,
  appId: string,
  stale: StaleOf,
  now: number,
): Promise<ExpiredPermits> {
  const permits = await lockStale(trx, appId, stale, forUpdateNowait(trx))
  if (permits.length === MAX_LIST) return expireLocked(trx, appId, permits, stale, now)
  return expireLocked(trx, appId, permits, stale, now, 'all')
}

function lockStale(trx: Knex.Transaction, appId: string, stale: StaleOf, lock: string): Promise<Stale[]> {
  const { hint, sql, bindings } = unspentOf(trx, appId, stale)
  return selectRows<Stale>(
    trx,
    `SELECT id, user_id FROM wx_save_form_id${hint} WHERE ${sql}
     ORDER BY user_id, expire, id LIMIT ${MAX_LIST}${lock}`,
    bindings,
  )
}

/** Expires permits that are locked: `all` that the database finds now, or those with these ids. */
async function expireLocked(
  trx: Knex.Transaction,
  appId: string,
  permits: Stale[],
  stale: StaleOf,
  now: number,
  which: 'all' | 'by id' = 'by id',
): Promise<ExpiredPermits> {
  const ids = new Set(permits.map(({ id }) => id))
  if (permits.length === 0) return { ids, users: [] }
  const losses = countByUser(permits)
  const users = sortedUnique(losses.keys())
  const amounts = new Set(losses.values())
  // A single UPDATE locks in order by itself.
  if (amounts.size > 1) await lockCounters(trx, appId, users)
  const { hint, sql, bindings } = unspentOf(trx, appId, { ...stale, users })
  const named = which === 'all' ? [] : [...ids]
  const { affectedRows } = await execute(
    trx,
    `UPDATE wx_save_form_id${hint} SET status = 2, updated_at = ?
     WHERE ${sql}${named.length > 0 ? ` AND id IN (${placeholders(named.length)})` : ''}`,
    [now, ...bindings, ...named],
  )
  if (which === 'all' && affectedRows !== permits.length) throw new PermitsMoved()
  for (const by of amounts) {
    const losers = users.filter((userId) => losses.get(userId) === by)
    await countDown(trx, appId, losers, by, now)
  }
  return { ids, users }
}

/**
 * Finds these permits as rows that lie together: by their ids, MySQL would look for the entry of each id and then for
 * the row. What others hold is passed over, and no entry of an id is locked, so a transaction that names ids may wait
 * for a sweep but is never waited for. SQLite chooses by itself.
 */
function unspentOf(
  db: Knex,
  appId: string,
  { users, from, until }: StaleOf,
): { hint: string; sql: string; bindings: Value[] } {
  return {
    hint: mysqlHint(db, 'FORCE INDEX (PRIMARY)'),
    sql: `app_id = ? AND user_id IN (${placeholders(users.length)}) AND expire >= ? AND expire < ? AND status = 0`,
    bindings: [appId, ...users, from, until],
  }
}
