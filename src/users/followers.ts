import type { Knex } from 'knex'
import { openAllCounters, openCounters } from '../books/index.js'
import { type Channel, needsPermit } from '../channel.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'

/**
 * On a service account everybody whose open_id is known can be reminded, without a permit. A claim reads counters, which
 * elsewhere come with the first permit: here they are opened with the person.
 */
interface Followed {
  appId: string
  channel: Channel
}

/** Opens the counters of users who have just been bound. */
export async function openFollowers(
  trx: Knex.Transaction,
  { appId, channel }: Followed,
  userIds: UserId[],
  now: number,
): Promise<void> {
  if (!needsPermit(channel)) await openCounters(trx, appId, sortedUnique(userIds), now)
}

/** Opens those of everybody else: bound before the account had this channel, or by another program. */
export async function openAllFollowers(db: Knex, { appId, channel }: Followed, now: number): Promise<void> {
  if (!needsPermit(channel)) await openAllCounters(db, appId, now)
}
