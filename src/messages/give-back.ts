import type { Knex } from 'knex'
import { giveBack, lockSpent } from '../books/index.js'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { groupBy } from '../lib/group-by.js'
import { countClaimed } from '../runs/limit.js'
import { addOutcomes, type OutcomeChange } from '../runs/outcomes.js'
import { countUsersAgain, readUsersAgain } from '../runs/ranges.js'
import * as totals from '../runs/totals.js'
import type { JudgedMessage } from './judged.js'
import { outcomesOf, sampleOf } from './outcome.js'
import { giveBackUnsent } from './quota-count.js'
import * as store from './store.js'
import { endSubmitted, recordAttempts, type SubmittedEndOf } from './submitted-store.js'
import { emptyTally, type Tally } from './tally.js'

/**
 * Undoes the claims of messages that were certainly not delivered: the permit is unspent again, the counter goes up,
 * `last_date` is restored, and the message is cancelled, so that the same day's run can claim the user again. Users
 * who were not even tried are put before the run's cursors again; users who were tried and failed wait for a run that
 * is started over.
 */
export async function giveBackMessages(db: Knex, judged: JudgedMessage[], now: number): Promise<Tally> {
  const [first] = judged
  if (!first) return emptyTally()
  const { appId } = first.message
  const cancelled = await inTransaction(db, async (trx) => {
    const endedRuns = await totals.lockForSettling(
      trx,
      judged.map(({ message }) => message.runId),
      'alone',
    )
    await turnBack(trx, judged)
    const permits = await lockSpent(trx, {
      appId,
      users: judged.map(({ message }) => message.userId),
      permitIds: judged.map(({ message }) => message.permitId),
    })
    const held = await store.lockHeld(
      trx,
      judged.map(({ message }) => message),
    )
    if (held.length === 0) return 0
    await giveBack(trx, appId, held, permits, now)
    const heldIds = new Set(held.map(({ id }) => id))
    const mine = judged.filter(({ message }) => heldIds.has(message.id))
    await takeFromRuns(trx, mine, endedRuns, now)
    await cancel(trx, mine, now)
    await endAsSubmitted(trx, mine, now)
    failpoint('give_back.in_transaction')
    await addOutcomes(trx, mine.flatMap(cancelledOutcome), now)
    await giveBackUnsent(trx, mine)
    return held.length
  })
  return { ...emptyTally(), cancelled, lost: judged.length - cancelled }
}

/** Puts the untried before the cursors again. That a run counts the others again is all that it does about them. */
async function turnBack(trx: Knex.Transaction, judged: JudgedMessage[]): Promise<void> {
  for (const [turn, wasTried] of [
    [readUsersAgain, false],
    [countUsersAgain, true],
  ] as const) {
    const ids = judged.filter(({ attempted }) => attempted === wasTried).map(({ message }) => message.id)
    for (const [runId, users] of await store.findUsersByRun(trx, ids)) await turn(trx, runId, users)
  }
}

function cancelledOutcome({ message, answer, attempted }: JudgedMessage): OutcomeChange[] {
  const { runId, templateId } = message
  const sample = sampleOf(message.id, answer)
  return outcomesOf({ runId, templateId, state: 'cancelled', answer, attempted, messages: 1, sample })
}

async function takeFromRuns(
  trx: Knex.Transaction,
  judged: JudgedMessage[],
  endedRuns: Set<number>,
  now: number,
): Promise<void> {
  for (const [runId, { length: messages }] of groupBy(judged, ({ message }) => message.runId)) {
    if (runId === null) continue
    await countClaimed(trx, runId, -messages)
    if (endedRuns.has(runId))
      await totals.moveTotals(trx, runId, { from: 'retrying', to: 'cancelled', messages }, now)
  }
}

/** What a message that is given back is for the backend that submitted it. */
async function endAsSubmitted(trx: Knex.Transaction, judged: JudgedMessage[], now: number): Promise<void> {
  const submitted = judged.filter(({ message }) => message.kind === 'api')
  await recordAttempts(trx, submitted, now)
  const ends = submitted.map(({ message: { id }, verdict }): SubmittedEndOf => {
    const as = verdict.kind === 'give_back' ? verdict.as : undefined
    return { id, state: as ?? 'cancelled' }
  })
  await endSubmitted(trx, ends, now)
}

async function cancel(trx: Knex.Transaction, judged: JudgedMessage[], now: number): Promise<void> {
  const alike = groupBy(judged, ({ attempted, answer }) => JSON.stringify([attempted, answer]))
  for (const group of alike.values()) {
    const [one] = group
    if (!one) continue
    const why = { attempts: one.attempted ? 1 : 0, ...one.answer }
    await store.cancel(
      trx,
      group.map(({ message }) => message.id),
      why,
      now,
    )
  }
}
