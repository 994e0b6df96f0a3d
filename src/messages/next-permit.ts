import type { Knex } from 'knex'
import { givenBy, isUsable, lockNextPermits, type NextPermit, recordDead, reserve } from '../books/index.js'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import { addOutcomes, type OutcomeChange } from '../runs/outcomes.js'
import type { JudgedMessage } from './judged.js'
import type { HeldMessage } from './message.js'
import { nextPermit, waiting } from './outcome.js'
import { takeNext } from './quota-count.js'
import * as store from './store.js'
import { recordAttempts } from './submitted-store.js'
import { addTallies, emptyTally, type Tally } from './tally.js'

/**
 * After this many requests in a row, a message waits, with its next permit reserved, while others are served. Someone
 * may have uploaded thousands of form_ids that WeChat never issued; in good faith, two dead ones in a row are rare.
 */
const REQUESTS_IN_A_GO = 5
const PAUSE_MS = 30_000
/**
 * The most requests in all: four goes in a minute and a half. Then the message has failed, and so has this day's
 * reminder.
 */
const MAX_REQUESTS = 20

export interface NextPermits {
  /** By message id: the same message with its next permit, already reserved. */
  next: Map<number, HeldMessage>
  /** Messages that get no permit now, with the verdict that follows. They are not in the tally yet. */
  without: JudgedMessage[]
  tally: Tally
}

/**
 * Leaves the spoiled permit spent, with WeChat's code on it, and reserves the user's next oldest permit for the same
 * message; for one that was addressed to an open_id, the next one that this person gave.
 */
export async function takeNextPermits(db: Knex, judged: JudgedMessage[], now: number): Promise<NextPermits> {
  const taken: NextPermits = { next: new Map(), without: [], tally: emptyTally() }
  for (const group of groupBy(judged, ({ message }) => message.addressedTo).values()) {
    const { next, without, tally } = await takeAlike(db, group, now)
    for (const [id, message] of next) taken.next.set(id, message)
    taken.without.push(...without)
    taken.tally = addTallies(taken.tally, tally)
  }
  return taken
}

/** Of messages to one open_id, or of those to whichever their users have. */
async function takeAlike(db: Knex, judged: JudgedMessage[], now: number): Promise<NextPermits> {
  const [first] = judged
  if (!first) return { next: new Map(), without: [], tally: emptyTally() }
  const { appId, addressedTo } = first.message
  const usable = isUsable(first.message, now)
  return inTransaction(db, async (trx) => {
    const permits = await lockNextPermits(
      trx,
      {
        appId,
        users: judged.map(({ message }) => message.userId),
        spoiled: permitsOf(judged),
      },
      addressedTo === null ? usable : givenBy(usable, addressedTo),
    )
    const held = await store.lockHeld(
      trx,
      judged.map(({ message }) => message),
    )
    const heldIds = new Set(held.map(({ id }) => id))
    const mine = judged.filter(({ message }) => heldIds.has(message.id))
    await recordSpoiled(trx, mine, now)

    const next = new Map<number, HeldMessage>()
    const without: JudgedMessage[] = []
    const outcomes: OutcomeChange[] = []
    const goesOn: JudgedMessage[] = []
    const tally = { ...emptyTally(), lost: judged.length - mine.length }
    for (const one of mine) {
      const permit = permits.get(one.message.userId)
      const ending = endingWithout(one, permit)
      if (ending || !permit) without.push(ending ?? one)
      else {
        // Another message of the same user must not take it as well.
        permit.isFree = false
        const message = await goOnWith(trx, one, permit, now)
        goesOn.push(one)
        outcomes.push(nextPermit(one))
        if (message) next.set(message.id, message)
        else {
          outcomes.push(waiting(one.message.runId, 1))
          tally.retry++
        }
      }
    }
    // The others are settled, and their attempts with them.
    await recordAttempts(trx, goesOn, now)
    failpoint('next_permit.in_transaction')
    await addOutcomes(trx, outcomes, now)
    await takeNext(trx, [...next.values()])
    return { next, without, tally }
  })
}

async function recordSpoiled(trx: Knex.Transaction, judged: JudgedMessage[], now: number): Promise<void> {
  for (const [errcode, group] of groupBy(judged, ({ answer }) => answer.errcode)) {
    const ids = sortedUnique(permitsOf(group))
    await recordDead(trx, ids, errcode, now)
  }
}

/** Only what was sent with a permit can have spoiled one. */
const permitsOf = (judged: JudgedMessage[]): number[] =>
  judged.map(({ message }) => message.permitId).filter((id) => id !== null)

/** The verdict on a message that does not go on with that permit now; undefined if it does. */
function endingWithout(judged: JudgedMessage, permit: NextPermit | undefined): JudgedMessage | undefined {
  if (!permit || judged.message.attempts + 1 >= MAX_REQUESTS)
    return { ...judged, verdict: { kind: 'failed' } }
  // Spent or handed over since it was found, or reserved for another message of the same user earlier in this batch.
  // The retry meets the dead permit again and so comes back here.
  if (!permit.isFree) return { ...judged, verdict: { kind: 'retry', afterMs: 0, maybeSent: false } }
  return undefined
}

/** Reserves the permit for the message. Returns the message if it goes on now; undefined if it goes on later. */
async function goOnWith(
  trx: Knex.Transaction,
  { message, answer }: JudgedMessage,
  permit: NextPermit,
  now: number,
): Promise<HeldMessage | undefined> {
  const { id, kind, submittedBy, appId, userId } = message
  const attempts = message.attempts + 1
  await reserve(trx, { permitId: permit.id, messageId: id, appId, userId }, now)
  await store.goOnWith(trx, id, { permitId: permit.id, errcode: answer.errcode }, now)
  if (attempts % REQUESTS_IN_A_GO === 0) {
    await store.putOff(trx, appId, { id, kind, submittedBy, nextAttemptAt: now + PAUSE_MS })
    return undefined
  }
  return {
    ...message,
    state: 'queued',
    openId: permit.openId,
    permitId: permit.id,
    formId: permit.formId,
    permitSource: permit.source,
    attempts,
  }
}
