import type { Knex } from 'knex'
import { execute, forUpdateSkipLocked, placeholders, selectRows } from '../db/sql.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { countByUser, countDown, lockCounters } from './counters.js'
import { byId } from './locked-permits.js'

/**
 * Expires the permits that are still unspent and that no other transaction holds: sets status 2 and counts each user
 * down by exactly as many. Takes at most MAX_LIST `ids`. Returns the ids that expired and the users who lost one.
 */
export async function expirePermits(
  trx: Knex.Transaction,
  appId: string,
  ids: number[],
  now: number,
): Promise<{ expired: Set<number>; users: UserId[] }> {
  const permits = await lockUnspent(trx, sortedUnique(ids))
  if (permits.length === 0) return { expired: new Set(), users: [] }
  const losses = countByUser(permits)
  const users = sortedUnique(losses.keys())
  const amounts = new Set(losses.values())
  // A single UPDATE locks in order by itself.
  if (amounts.size > 1) await lockCounters(trx, appId, users)
  const expired = permits.map(({ id }) => id)
  await execute(
    trx,
    `UPDATE wx_save_form_id${byId(trx)} SET status = 2, updated_at = ? WHERE id IN (${placeholders(expired.length)})`,
    [now, ...expired],
  )
  for (const by of amounts) {
    const losers = users.filter((userId) => losses.get(userId) === by)
    await countDown(trx, appId, losers, by, now)
  }
  return { expired: new Set(expired), users }
}

async function lockUnspent(trx: Knex.Transaction, ids: number[]): Promise<{ id: number; user_id: UserId }[]> {
  return selectRows(
    trx,
    `SELECT id, user_id FROM wx_save_form_id${byId(trx)}
     WHERE id IN (${placeholders(ids.length)}) AND status = 0 ORDER BY id${forUpdateSkipLocked(trx)}`,
    ids,
  )
}
