import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { sortedUnique } from '../lib/sorted.js'
import * as store from './store.js'

/**
 * Takes deliveries that are due, at most `limit`, and begins an attempt of each. Of the events of one message only the
 * oldest is taken: the later ones wait until it has ended. They are put off until it is tried again, so that a receiver
 * that is away has nobody read the same rows each second. `looked`: how many were due and in nobody's hands.
 */
export async function claimDue(
  db: Knex,
  appId: string,
  { limit, leaseMs }: { limit: number; leaseMs: number },
  now: number,
): Promise<{ taken: store.Due[]; looked: number }> {
  return inTransaction(db, async (trx) => {
    const due = await store.lockDue(trx, appId, now, limit)
    if (due.length === 0) return { taken: [], looked: 0 }
    const oldest = new Map<number, store.Waiting>()
    const messages = sortedUnique(due.map(({ message_id }) => message_id))
    for (const one of await store.findWaiting(trx, messages))
      if (!oldest.has(one.message_id)) oldest.set(one.message_id, one)
    const leaseUntil = now + leaseMs
    const taken = due.filter(({ id, message_id }) => oldest.get(message_id)?.id === id)
    const takenIds = new Set(taken.map(({ id }) => id))
    if (taken.length > 0) await store.beginAttempts(trx, [...takenIds], leaseUntil)
    for (const { id, message_id } of due) {
      if (takenIds.has(id)) continue
      const before = oldest.get(message_id)
      const until = before && !takenIds.has(before.id) ? before.next_attempt_at : leaseUntil
      await store.postpone(trx, id, Math.max(until, now) + 1)
    }
    return { taken: taken.map((one) => ({ ...one, attempts: one.attempts + 1 })), looked: due.length }
  })
}
