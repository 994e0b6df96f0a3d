import type { Knex } from 'knex'
import type { UserId } from '../lib/user-id.js'
import * as store from './store.js'

/**
 * Sets a user's counter to the number of unspent permits. An upload beside it either has its permit counted here (its
 * row is waited for), or adds it to the counter afterwards (it waits for ours).
 */
export async function recountCounter(trx: Knex, appId: string, userId: UserId, now: number): Promise<void> {
  const count = await store.lockUnspentOf(trx, appId, userId)
  await store.lockCounters(trx, appId, [userId])
  await store.setCounter(trx, appId, userId, count, now)
}
