import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { liftBlock, recordBlock } from '../users/stop-store.js'
import { userIdOf } from '../users/user-ids.js'
import { CODE } from '../wechat/codes.js'
import { done, type Effect } from './effect.js'
import * as store from './store.js'

/** Somebody unfollowed the service account: no message reaches them until they follow it again. */
export async function applyUnfollow(
  trx: Knex.Transaction,
  appId: string,
  event: store.EventRow,
  now: number,
): Promise<Effect> {
  if (await store.hasNewer(trx, appId, event, 'subscribe')) return done('outdated')
  const block = { appId, openId: event.open_id, errcode: CODE.notFollowing, at: event.event_time * 1000 }
  await recordBlock(trx, block, now)
  return done('blocked')
}

/**
 * Somebody follows, perhaps again. A block for another reason, or one set by hand, stays. Where this service numbers
 * the users of a service account, a follower is one from now on.
 */
export async function applyFollow(
  trx: Knex.Transaction,
  account: Account,
  event: store.EventRow,
  now: number,
): Promise<Effect> {
  const { appId, channel } = account
  if (await store.hasNewer(trx, appId, event, 'unsubscribe')) return done('outdated')
  const lifted = await liftBlock(trx, { appId, openId: event.open_id, errcode: CODE.notFollowing }, now)
  const userId = channel === 'official' ? await userIdOf(trx, account, event.open_id, now) : undefined
  if (lifted) return done('unblocked')
  return done(userId === undefined ? 'ignored' : 'bound')
}
