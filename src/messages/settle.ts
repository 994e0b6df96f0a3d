import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { groupBy } from '../lib/group-by.js'
import { compareUserIds, type UserId } from '../lib/user-id.js'
import { lockCounters } from '../permits/store.js'
import { countClaimed } from '../runs/limit.js'
import { readUsersAgain } from '../runs/ranges.js'
import * as totals from '../runs/totals.js'
import { recordStop } from '../users/stop-store.js'
import type { Delivery } from './message.js'
import { takeNextPermits } from './next-permit.js'
import * as store from './store.js'
import type { Verdict } from './verdict.js'

/** What WeChat said, as it is written to the message. */
export interface AnswerRecord {
  errcode: number | null
  errmsg: string | null
  rid: string | null
  msgid: string | null
}

/** The end of one attempt, or of a claim that came to none. */
export interface Outcome {
  delivery: Delivery
  verdict: Verdict
  answer: AnswerRecord
  /** Whether a request was made. */
  attempted: boolean
}

/** How many messages ended in which state. `lost`: another process had taken them over, and settles them. */
export interface Tally {
  delivered: number
  failed: number
  unknown: number
  cancelled: number
  retry: number
  lost: number
}

export function emptyTally(): Tally {
  return { delivered: 0, failed: 0, unknown: 0, cancelled: 0, retry: 0, lost: 0 }
}

export function addTallies(a: Tally, b: Tally): Tally {
  return {
    delivered: a.delivered + b.delivered,
    failed: a.failed + b.failed,
    unknown: a.unknown + b.unknown,
    cancelled: a.cancelled + b.cancelled,
    retry: a.retry + b.retry,
    lost: a.lost + b.lost,
  }
}

const PLAIN = new Set<Verdict['kind']>(['delivered', 'failed', 'unknown', 'retry'])

/**
 * Writes a batch of verdicts of one account down, adds them to `tally`, and answers for each outcome the delivery that
 * follows from it: the same message with the user's next permit, already reserved, or nothing.
 */
export async function settleBatch(
  db: Knex,
  outcomes: Outcome[],
  { leaseMs, now }: { leaseMs: number; now: number },
  tally: Tally,
): Promise<(Delivery | undefined)[]> {
  const ordered = [...outcomes].sort((a, b) => a.delivery.id - b.delivery.id)
  await settlePlain(
    db,
    ordered.filter((o) => PLAIN.has(o.verdict.kind)),
    now,
    tally,
  )
  await giveBack(
    db,
    ordered.filter((o) => o.verdict.kind === 'give_back'),
    now,
    tally,
  )
  const spoiled = ordered.filter((o) => o.verdict.kind === 'next_permit')
  const { next, waiting, without } = await takeNextPermits(db, spoiled, leaseMs, now)
  await settlePlain(db, without, now, tally)
  tally.retry += waiting
  tally.lost += spoiled.length - next.size - waiting - without.length
  return outcomes.map((outcome) => next.get(outcome.delivery.id))
}

async function settlePlain(db: Knex, outcomes: Outcome[], now: number, tally: Tally): Promise<void> {
  if (outcomes.length === 0) return
  const settlements = outcomes.map((outcome) => toSettlement(outcome, now))
  const settled = await inTransaction(db, async (trx) => {
    const ended = await totals.lockForSettling(trx, runsOf(outcomes))
    const counts = await store.settle(trx, settlements, now)
    failpoint('settle.in_transaction')
    for (const { runId, state, messages } of counts) {
      if (runId === null || !ended.has(runId) || state === 'retry') continue
      await totals.moveTotals(trx, runId, { from: 'retrying', to: state, messages }, now)
    }
    for (const { delivery, verdict, answer } of outcomes) {
      if (!('stops' in verdict) || !verdict.stops || answer.errcode === null) continue
      await recordStop(
        trx,
        delivery,
        { kind: verdict.stops, errcode: answer.errcode, messageId: delivery.id },
        now,
      )
    }
    return counts
  })
  failpoint('settle.committed')
  let total = 0
  for (const { state, messages } of settled) {
    tally[state] += messages
    total += messages
  }
  tally.lost += outcomes.length - total
}

function toSettlement({ delivery, verdict, answer, attempted }: Outcome, now: number): store.Settlement {
  const retry = verdict.kind === 'retry' ? verdict : undefined
  const unknown = verdict.kind === 'unknown'
  return {
    id: delivery.id,
    fence: delivery.fence,
    runId: delivery.runId,
    state: verdict.kind as store.Settlement['state'],
    maybeSent: retry?.maybeSent ?? (unknown || delivery.maybeSent),
    attempts: attempted ? 1 : 0,
    nextAttemptAt: retry ? now + retry.afterMs : null,
    ...answer,
  }
}

/**
 * Undoes claims of messages that were certainly not delivered: the permit unspent, the counter up, `last_date` as it was,
 * and the message cancelled, so that the same day's run can claim the user again. Whoever was not even tried is put
 * before the run's cursors again; who was, and failed, waits for a run that is started over.
 */
async function giveBack(db: Knex, outcomes: Outcome[], now: number, tally: Tally): Promise<void> {
  const [first] = outcomes
  if (!first) return
  const { appId } = first.delivery
  const notAttempted = outcomes.filter(({ attempted }) => !attempted).map(({ delivery }) => delivery.id)
  const cancelled = await inTransaction(db, async (trx) => {
    const endedRuns = await totals.lockForSettling(trx, runsOf(outcomes), 'alone')
    for (const [runId, users] of await store.findUsersByRun(trx, notAttempted)) {
      await readUsersAgain(trx, runId, users)
    }
    const permits = await store.lockPermits(trx, sorted(outcomes.map(({ delivery }) => delivery.permitId)))
    await lockCounters(trx, appId, sorted(outcomes.map(({ delivery }) => delivery.userId)))
    const held = await store.lockHeld(
      trx,
      outcomes.map(({ delivery }) => delivery),
    )
    if (held.length === 0) return 0

    const spent = held
      .flatMap((message) => permits.get(message.permit_id) ?? [])
      .filter((p) => p.status === 1)
    await store.returnPermits(trx, sorted(spent.map(({ id }) => id)), now)
    const valid = new Set(spent.filter((permit) => permit.expire > now).map(({ id }) => id))
    const changes = counterChanges(held, valid)
    for (const group of groupBy(changes, (c) =>
      [c.permits, c.businessDate, c.lastDateBefore].join(' '),
    ).values()) {
      const [change] = group
      if (change) await store.returnToCounters(trx, appId, sorted(group.map((c) => c.userId)), change, now)
    }
    const heldIds = new Set(held.map(({ id }) => id))
    const cancelled = outcomes.filter(({ delivery }) => heldIds.has(delivery.id))
    for (const [runId, { length: messages }] of groupBy(cancelled, ({ delivery }) => delivery.runId)) {
      if (runId === null) continue
      await countClaimed(trx, runId, -messages)
      if (endedRuns.has(runId))
        await totals.moveTotals(trx, runId, { from: 'retrying', to: 'cancelled', messages }, now)
    }
    for (const group of groupBy(cancelled, ({ attempted, answer }) =>
      JSON.stringify([attempted, answer]),
    ).values()) {
      const [one] = group
      if (!one) continue
      const why = { attempts: one.attempted ? 1 : 0, ...one.answer }
      await store.cancel(
        trx,
        group.map(({ delivery }) => delivery.id),
        why,
        now,
      )
    }
    failpoint('give_back.in_transaction')
    return held.length
  })
  tally.cancelled += cancelled
  tally.lost += outcomes.length - cancelled
}

/**
 * One change for each user, even if several of their messages are given back at once. Reminders of several days (one
 * waited over midnight) take `last_date` back step by step, from the newest on.
 */
function counterChanges(
  held: store.LockedMessage[],
  valid: Set<number>,
): (store.CounterReturn & { userId: UserId })[] {
  return [...groupBy(held, (message) => message.user_id)].map(([userId, messages]) => {
    const [newest, ...older] = messages
      .filter((message) => message.business_date !== null)
      .sort((a, b) => Number(b.business_date) - Number(a.business_date))
    let lastDateBefore = newest?.last_date_before ?? 0
    for (const { business_date, last_date_before } of older) {
      if (business_date === lastDateBefore) lastDateBefore = last_date_before
    }
    return {
      userId,
      permits: messages.filter((message) => valid.has(message.permit_id)).length,
      businessDate: newest?.business_date ?? null,
      lastDateBefore,
    }
  })
}

function runsOf(outcomes: Outcome[]): (number | null)[] {
  return outcomes.map(({ delivery }) => delivery.runId)
}

function sorted<Id extends UserId>(ids: Id[]): Id[] {
  return [...new Set(ids)].sort(compareUserIds)
}
