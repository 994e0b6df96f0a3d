import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { timeOn } from '../lib/business-date.js'
import { failpoint } from '../lib/failpoint.js'
import { createBrake } from './brake.js'
import { type DeliverDeps, deliverAll, type Source } from './deliver.js'
import * as store from './lease-store.js'
import type { Delivery } from './message.js'
import { type AnswerRecord, addTallies, emptyTally, type Outcome, settleBatch, type Tally } from './settle.js'
import { canRepeat, type Verdict } from './verdict.js'

const BATCH = 500

/** The part of an account that decides until when its reminders may be sent. */
export interface SendingWindow {
  appId: string
  timezone: string
  sendUntil: { hour: number; minute: number }
}

/** End of the sending window of a business date, in ms. */
export function windowEnd(window: SendingWindow, date: number): number {
  return timeOn(date, window.sendUntil.hour, window.sendUntil.minute, window.timezone)
}

/**
 * Takes over messages that a dead process left `sending`, and those whose retry is due. Answers the ones to be sent now,
 * with the permit they had; the others (too late for their day, or not to be repeated) are settled at once.
 */
export async function takeOver(
  db: Knex,
  window: SendingWindow,
  { limit, leaseMs, now }: { limit: number; leaseMs: number; now: number },
  tally: Tally = emptyTally(),
): Promise<Delivery[]> {
  const deliveries = await inTransaction(db, async (trx) => {
    const leaseDeadline = performance.now() + leaseMs
    const lapsed = await store.lockLapsed(trx, window.appId, limit)
    const due = await store.lockRetryDue(trx, window.appId, now, limit - lapsed.length)
    if (lapsed.length > 0) await store.takeOver(trx, sorted(lapsed), 'lapsed', leaseMs, now)
    if (due.length > 0) await store.takeOver(trx, sorted(due), 'retry', leaseMs, now)
    const ids = sorted([...lapsed, ...due])
    return ids.length === 0 ? [] : store.findDeliveries(trx, ids, leaseDeadline)
  })
  failpoint('take_over.committed')
  const endings = deliveries.flatMap((delivery) => {
    const ending = endingWithoutSending(delivery, window, now)
    return ending ? [ending] : []
  })
  if (endings.length > 0) await settleBatch(db, endings, { leaseMs, now }, tally)
  const ended = new Set(endings.map(({ delivery }) => delivery.id))
  return deliveries.filter(({ id }) => !ended.has(id))
}

/** A message that is not to be sent any more, and what becomes of it; undefined if it is to be sent. */
function endingWithoutSending(delivery: Delivery, window: SendingWindow, now: number): Outcome | undefined {
  if (delivery.maybeSent && !canRepeat(delivery, now)) {
    return end(delivery, { kind: 'unknown' }, 'its attempt broke off, and sent again it could come twice')
  }
  if (delivery.businessDate === null || now < windowEnd(window, delivery.businessDate)) return undefined
  return delivery.maybeSent
    ? end(
        delivery,
        { kind: 'unknown' },
        'its attempt broke off, and its sending window closed before it could be repeated',
      )
    : end(delivery, { kind: 'give_back' }, 'not sent: its sending window closed')
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
      const deliveries = await takeOver(db, window, { limit: BATCH, leaseMs, now: now() }, settledAtOnce)
      return deliveries.length > 0 ? deliveries : undefined
    },
  }
  const sent = await deliverAll(deps, source, { ...options, brake: createBrake() })
  return addTallies(sent, settledAtOnce)
}
