import type { Knex } from 'knex'
import { isUsable } from '../books/usable.js'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { groupBy } from '../lib/group-by.js'
import { compareUserIds, type UserId } from '../lib/user-id.js'
import { lockCounters } from '../permits/store.js'
import type { Delivery } from './message.js'
import type { Outcome } from './settle.js'
import * as store from './store.js'

/**
 * So many requests of one message in a row, then it waits, with its next permit reserved, while others are served.
 * Somebody may have uploaded thousands of form_ids that WeChat has never given out; in good faith two dead ones in a
 * row are rare.
 */
const REQUESTS_IN_A_GO = 5
const PAUSE_MS = 30_000
/** And so many in all: four goes in a minute and a half. Then the message has failed, and so has this day's reminder. */
const MAX_REQUESTS = 20

export interface NextPermits {
  /** By message: the same one with its next permit, already reserved. */
  next: Map<number, Delivery>
  /** How many go on later, with their next permit. */
  waiting: number
  /** Messages that get none now, with the verdict that follows. */
  without: Outcome[]
}

/** The spoiled permit stays spent, with WeChat's code on it; the user's next oldest one is reserved for the same message. */
export async function takeNextPermits(
  db: Knex,
  outcomes: Outcome[],
  leaseMs: number,
  now: number,
): Promise<NextPermits> {
  const [first] = outcomes
  if (!first) return { next: new Map(), waiting: 0, without: [] }
  const { appId } = first.delivery
  const users = sorted(outcomes.map(({ delivery }) => delivery.userId))
  return inTransaction(db, async (trx) => {
    const oldest = await store.findOldestPermits(trx, appId, users, isUsable(first.delivery, now))
    const permits = await store.lockPermits(
      trx,
      sorted([...oldest.values(), ...outcomes.map(({ delivery }) => delivery.permitId)]),
    )
    await lockCounters(trx, appId, users)
    const held = new Set(
      (
        await store.lockHeld(
          trx,
          outcomes.map(({ delivery }) => delivery),
        )
      ).map(({ id }) => id),
    )
    const mine = outcomes.filter(({ delivery }) => held.has(delivery.id))
    for (const group of groupBy(mine, ({ answer }) => answer.errcode).values()) {
      const [one] = group
      const dead = sorted(group.map(({ delivery }) => delivery.permitId))
      await store.recordDeadPermits(trx, dead, one?.answer.errcode ?? null, now)
    }

    const next = new Map<number, Delivery>()
    const without: Outcome[] = []
    let waiting = 0
    const leaseDeadline = performance.now() + leaseMs
    for (const outcome of mine) {
      const { delivery, answer } = outcome
      const permit = permits.get(oldest.get(delivery.userId) ?? 0)
      const attempts = delivery.attempts + 1
      if (!permit || attempts >= MAX_REQUESTS) {
        without.push({ ...outcome, verdict: { kind: 'failed' } })
        continue
      }
      if (permit.status !== 0 || permit.user_id !== delivery.userId) {
        // Spent or handed over since we looked, or spent by a message of the same user a line above. The retry meets the dead permit again
        // and so comes back here.
        without.push({ ...outcome, verdict: { kind: 'retry', afterMs: 0, maybeSent: false } })
        continue
      }
      permit.status = 1
      await store.reserve(
        trx,
        { id: delivery.id, appId, userId: delivery.userId, errcode: answer.errcode },
        permit,
        leaseMs,
        now,
      )
      if (attempts % REQUESTS_IN_A_GO === 0) {
        await store.putOff(trx, delivery.id, now + PAUSE_MS)
        waiting++
        continue
      }
      next.set(delivery.id, {
        ...delivery,
        state: 'queued',
        openId: permit.open_id,
        permitId: permit.id,
        formId: permit.form_id,
        permitSource: permit.source,
        attempts,
        leaseDeadline,
      })
    }
    failpoint('next_permit.in_transaction')
    return { next, waiting, without }
  })
}

function sorted<Id extends UserId>(ids: Id[]): Id[] {
  return [...new Set(ids)].sort(compareUserIds)
}
