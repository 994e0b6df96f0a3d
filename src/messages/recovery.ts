import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { createBrake } from './brake.js'
import { type DeliverDeps, deliverAll, type Source } from './deliver.js'
import * as store from './lease-store.js'
import type { Delivery } from './message.js'
import { type AnswerRecord, addTallies, emptyTally, type Outcome, settleBatch, type Tally } from './settle.js'
import { canRepeat, type Verdict } from './verdict.js'
import { createDeadlines, type SendingWindow, windowEnd } from './window.js'

const BATCH = 500

export interface Takeover {
  /** To be sent now. */
  deliveries: Delivery[]
  /** How many were taken over, those that were settled at once among them. */
  taken: number
}

/**
 * Takes over messages that a dead process left in its hands, and those whose retry is due. Answers the ones to be sent
 * now, with the permit they had; the others (too late for their day, not wanted any more, not to be repeated) are settled
 * at once.
 */
export async function takeOver(
  db: Knex,
  window: SendingWindow,
  { limit, leaseMs, now }: { limit: number; leaseMs: number; now: number },
  tally: Tally = emptyTally(),
): Promise<Takeover> {
  const { deliveries, unwanted } = await inTransaction(db, async (trx) => {
    const leaseDeadline = performance.now() + leaseMs
    const lapsed = await store.lockLapsed(trx, window.appId, limit)
    const due = await store.lockRetryDue(trx, window.appId, now, limit - lapsed.length)
    const ids = sorted([...lapsed, ...due])
    if (ids.length === 0) return { deliveries: [], unwanted: new Map<number, never>() }
    await store.takeOver(trx, ids, leaseMs, now)
    const unwanted = await store.findUnwanted(trx, ids)
    return { deliveries: await store.findDeliveries(trx, ids, leaseDeadline), unwanted }
  })
  failpoint('take_over.committed')
  const endings = deliveries.flatMap((delivery) => {
    const ending = endingWithoutSending(delivery, unwanted.get(delivery.id), window, now)
    return ending ? [ending] : []
  })
  if (endings.length > 0) await settleBatch(db, endings, { leaseMs, now }, tally)
  const ended = new Set(endings.map(({ delivery }) => delivery.id))
  return { deliveries: deliveries.filter(({ id }) => !ended.has(id)), taken: deliveries.length }
}

const NOT_WANTED = {
  signed_in: 'not sent again: the user has signed in meanwhile',
  stopped: 'not sent again: the user has opted out or is blocked meanwhile',
}

/** A message that is not to be sent any more, and what becomes of it; undefined if it is to be sent. */
function endingWithoutSending(
  delivery: Delivery,
  unwanted: keyof typeof NOT_WANTED | undefined,
  window: SendingWindow,
  now: number,
): Outcome | undefined {
  const { businessDate } = delivery
  const isClosed = businessDate !== null && now >= windowEnd(window, businessDate)
  if (delivery.maybeSent) {
    if (!canRepeat(delivery, now))
      return end(delivery, { kind: 'unknown' }, 'its attempt broke off, and sent again it could come twice')
    if (!isClosed) return undefined
    const why = 'its attempt broke off, and its sending window closed before it could be repeated'
    return end(delivery, { kind: 'unknown' }, why)
  }
  if (isClosed) return end(delivery, { kind: 'give_back' }, 'not sent: its sending window closed')
  return unwanted ? end(delivery, { kind: 'give_back' }, NOT_WANTED[unwanted]) : undefined
}

function end(delivery: Delivery, verdict: Verdict, errmsg: string): Outcome {
  const answer: AnswerRecord = { errcode: null, errmsg, rid: null, msgid: null }
  return { delivery, verdict, answer, attempted: false }
}

function sorted(ids: number[]): number[] {
  return [...ids].sort((a, b) => a - b)
}

/**
 * Sends and settles what is left over now: one pass, no waiting for retries that are due later. What this process took
 * over before and gave up (the database went away) comes back the same way.
 */
export async function recover(
  deps: DeliverDeps,
  window: SendingWindow,
  options: { signal: AbortSignal; onProgress?(tally: Tally): void },
): Promise<Tally> {
  const { db, leaseMs, now } = deps
  const settledAtOnce = emptyTally()
  const source: Source = {
    async next() {
      const limits = { limit: BATCH, leaseMs, now: now() }
      const { deliveries, taken } = await takeOver(db, window, limits, settledAtOnce)
      return taken > 0 ? deliveries : undefined
    },
  }
  const closesAt = createDeadlines(window)
  const sent = await deliverAll(deps, source, { ...options, brake: createBrake(), closesAt })
  return addTallies(sent, settledAtOnce)
}
