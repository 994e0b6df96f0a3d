import type { Knex } from 'knex'
import { handOver } from '../books/index.js'
import { openFollowers } from './followers.js'
import * as store from './store.js'
import { bindUser, type Numbering } from './user-ids.js'

/**
 * Binds an open_id to a user. If it belongs to another one, it changes hands only with `movePermits`, and
 * takes along the unspent permits that it gave: they are good for messages to this person, whichever user
 * that is in the owner's books. Returns how many moved; those being spent stay. Throws `conflict` without
 * `movePermits`.
 *
 * Lock order: the account's numbers, the person, permits, counters. An upload for the old user that looked
 * before this commits stays with the old user.
 */
export async function rebindUser(
  trx: Knex.Transaction,
  account: Numbering,
  { openId, userId, movePermits }: store.Binding & { movePermits: boolean },
  now: number,
): Promise<number> {
  const { appId, userIds } = account
  // So that no other transaction allots the number at this moment.
  if (userIds === 'auto') await store.lockLastNumber(trx, appId, now)
  if (!movePermits) {
    await bindUser(trx, account, { openId, userId }, now)
    return 0
  }
  await store.bindUnbound(trx, appId, [{ openId, userId }], now)
  const oldUserId = await store.lockUserOf(trx, appId, openId)
  const isNew = oldUserId !== userId
  const moved = isNew ? await handOver(trx, { appId, openId, from: oldUserId, to: userId }, now) : 0
  if (isNew) await store.changeUser(trx, appId, openId, userId, now)
  await openFollowers(trx, account, [userId], now)
  return moved
}
