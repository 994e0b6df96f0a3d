import type { Knex } from 'knex'
import type { UserId } from '../lib/user-id.js'
import * as store from '../permits/store.js'

/**
 * Sets a user's counter to the number of unspent permits, beside whoever changes these. It locks the counter, as every
 * transaction that changes a permit does before it commits, and then reads the permits without locks: what is committed
 * is in the counter that was locked, and who is not that far adds his change to the one that is set here. Locks of the
 * permits would not keep an upload from committing a new one between the look at them and the counter.
 */
export async function recountCounter(trx: Knex, appId: string, userId: UserId, now: number): Promise<void> {
  await store.lockCounter(trx, appId, userId, now)
  await store.setCounter(trx, appId, userId, await store.countUnspentOf(trx, appId, userId), now)
}
