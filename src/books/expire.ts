import type { Knex } from 'knex'
import { execute, forUpdateSkipLocked, MAX_LIST, placeholders, selectRows } from '../db/sql.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { countByUser, countDown, lockCounters } from './counters.js'

/** What expired: the ids, and the users who lost one of them. */
export interface Expired {
  ids: Set<number>
  users: UserId[]
}

interface LockedPermit {
  id: number
  user_id: UserId
}

/**
 * Expires the permits that are still unspent and that no other transaction holds: sets status 2 and counts each user
 * down by exactly as many. Takes at most MAX_LIST `ids`.
 */
export async function expirePermits(
  trx: Knex.Transaction,
  appId: string,
  ids: number[],
  now: number,
): Promise<Expired> {
  const permits = await selectRows<LockedPermit>(
    trx,
    `SELECT id, user_id FROM wx_save_form_id WHERE id IN (${placeholders(ids.length)}) AND status = 0
     ORDER BY id${forUpdateSkipLocked(trx)}`,
    sortedUnique(ids),
  )
  return expireLocked(trx, appId, permits, now)
}

/**
 * expirePermits for all permits of these users that ran out between two times, in the order of the users: at most
 * MAX_LIST of them, so there may be more if there were as many. `userIds` must be sorted. Uses
 * wx_save_form_id_oldest_idx.
 */
export async function expirePermitsOf(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
  { from, until }: { from: number; until: number },
  now: number,
): Promise<Expired> {
  const permits = await selectRows<LockedPermit>(
    trx,
    `SELECT id, user_id FROM wx_save_form_id
     WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)}) AND expire >= ? AND expire < ? AND status = 0
     ORDER BY user_id, expire, id LIMIT ${MAX_LIST}${forUpdateSkipLocked(trx)}`,
    [appId, ...userIds, from, until],
  )
  permits.sort((a, b) => a.id - b.id)
  return expireLocked(trx, appId, permits, now)
}

/** `permits` are locked and sorted by id. */
async function expireLocked(
  trx: Knex.Transaction,
  appId: string,
  permits: LockedPermit[],
  now: number,
): Promise<Expired> {
  const ids = permits.map(({ id }) => id)
  const losses = countByUser(permits)
  const users = sortedUnique(losses.keys())
  if (ids.length === 0) return { ids: new Set(), users }
  const amounts = new Set(losses.values())
  // A single UPDATE locks in order by itself.
  if (amounts.size > 1) await lockCounters(trx, appId, users)
  await execute(
    trx,
    `UPDATE wx_save_form_id SET status = 2, updated_at = ? WHERE id IN (${placeholders(ids.length)})`,
    [now, ...ids],
  )
  for (const by of amounts) {
    const losers = users.filter((userId) => losses.get(userId) === by)
    await countDown(trx, appId, losers, by, now)
  }
  return { ids: new Set(ids), users }
}
