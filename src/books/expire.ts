import type { Knex } from 'knex'
import {
  execute,
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

/** Permits of some users that run out from `from` to before `until`. */
export interface StaleOf {
  /** At most MAX_LIST. */
  users: UserId[]
  from: number
  until: number
}

/**
 * Expires permits that are still unspent and that no other transaction holds: sets status 2 and counts each user down
 * by exactly as many. Takes MAX_LIST of them at most, in the order of users. Returns the ids that expired and the users
 * who lost one.
 */
export async function expirePermits(
  trx: Knex.Transaction,
  appId: string,
  stale: StaleOf,
  now: number,
): Promise<{ expired: Set<number>; users: UserId[] }> {
  const { hint, sql, bindings } = unspentOf(trx, appId, stale)
  const permits = await selectRows<{ id: number; user_id: UserId }>(
    trx,
    `SELECT id, user_id FROM wx_save_form_id${hint} WHERE ${sql}
     ORDER BY user_id, expire, id LIMIT ${MAX_LIST}${forUpdateSkipLocked(trx)}`,
    bindings,
  )
  if (permits.length === 0) return { expired: new Set(), users: [] }
  const losses = countByUser(permits)
  const users = sortedUnique(losses.keys())
  const amounts = new Set(losses.values())
  // A single UPDATE locks in order by itself.
  if (amounts.size > 1) await lockCounters(trx, appId, users)
  const expired = permits.map(({ id }) => id)
  const locked = unspentOf(trx, appId, { ...stale, users })
  await execute(
    trx,
    `UPDATE wx_save_form_id${hint} SET status = 2, updated_at = ?
     WHERE ${locked.sql} AND id IN (${placeholders(expired.length)})`,
    [now, ...locked.bindings, ...expired],
  )
  for (const by of amounts) {
    const losers = users.filter((userId) => losses.get(userId) === by)
    await countDown(trx, appId, losers, by, now)
  }
  return { expired: new Set(expired), users }
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
