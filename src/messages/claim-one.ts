import type { Knex } from 'knex'
import { givenBy, isUsable, lockNextPermits, type NextPermit, reserve } from '../books/index.js'
import { needsPermit } from '../channel.js'
import { failpoint } from '../lib/failpoint.js'
import type { UserId } from '../lib/user-id.js'
import type { Card } from './card-store.js'
import { findHeld } from './held-store.js'
import { openClaim } from './lease-store.js'
import type { HeldMessage } from './message.js'
import { insertSingle } from './single-store.js'

export interface Single {
  appId: string
  userId: UserId
  openId: string
  /** What it says, literally. */
  card: Card
  leaseMs: number
}

export type ClaimedOne =
  | { kind: 'claimed'; message: HeldMessage }
  | { kind: 'no_permit' }
  /** Another transaction has just taken the permit: try again. */
  | { kind: 'busy' }

/**
 * Claims one message that is no reminder, in the caller's transaction: writes it, spends the oldest usable permit that
 * this open_id gave, and counts its user down. `last_date` stays. A service account's message takes no permit.
 */
export async function claimOne(trx: Knex.Transaction, single: Single, now: number): Promise<ClaimedOne> {
  const { appId, userId, openId, card, leaseMs } = single
  const permit = needsPermit(card.channel) ? await lockPermit(trx, single, now) : null
  if (permit === undefined) return { kind: 'no_permit' }
  if (permit && !permit.isFree) return { kind: 'busy' }
  const lease = await openClaim(trx, appId, leaseMs, now)
  const id = await insertSingle(
    trx,
    { appId, userId, openId, cardId: card.id, claimId: lease.claimId, permitId: permit?.id ?? null },
    now,
  )
  if (permit) await reserve(trx, { permitId: permit.id, messageId: id, appId, userId }, now)
  const [message] = await findHeld(trx, [id], lease)
  if (!message) throw new Error(`Message ${id} was written and is not there`)
  failpoint('claim.in_transaction')
  return { kind: 'claimed', message }
}

/** Locks the oldest usable permit of the person, not of the user: WeChat takes a form_id for nobody else. */
async function lockPermit(
  trx: Knex.Transaction,
  { appId, userId, openId, card }: Single,
  now: number,
): Promise<NextPermit | undefined> {
  const usable = givenBy(isUsable(card, now), openId)
  const permits = await lockNextPermits(trx, { appId, users: [userId], spoiled: [] }, usable)
  return permits.get(userId)
}
