import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { lockSpent, withdraw } from '../books/index.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { chunks } from '../lib/chunks.js'
import { pause } from '../lib/pause.js'
import { sortedUnique } from '../lib/sorted.js'
import { outcomesOf } from '../messages/outcome.js'
import { windowEnd } from '../messages/window.js'
import { countClaimed } from '../runs/limit.js'
import { findRun } from '../runs/occurrences.js'
import { addOutcomes, type OutcomeChange } from '../runs/outcomes.js'
import { readUsersAgain } from '../runs/ranges.js'
import type { JobRun } from '../runs/run.js'
import * as totals from '../runs/totals.js'
import { dayOf } from './due-store.js'
import { matches, type RetryFilter } from './retry-filter.js'
import * as store from './retry-store.js'
import { assertToday, REMIND } from './run.js'

/** Messages that one statement looks through. */
const PAGE = 5_000
const CHUNK = 500
/** Lets a run and uploads through between two chunks. */
const PAUSE_MS = 10

export interface Retried {
  date: string
  run_id: number
  /** Failed reminders that were withdrawn: the run reminds their users when it is started again. */
  retried: number
  /** The others stay failed: their users have opted out or are blocked, have signed in, or have no permit left. */
  stopped: number
  signed_in: number
  without_permit: number
}

/**
 * Withdraws failed reminders of today's run, so that the run reminds their users once more when it is started again,
 * each with the next oldest permit. A withdrawn message is cancelled and keeps WeChat's code, its permit stays spent,
 * `last_date` is restored. What was delivered, may have been delivered or is in hand is not touched, nor is a message
 * that WeChat accepted and reported as failed later: that has no code. Works chunk by chunk, beside a run as well;
 * repeating it changes nothing more. Throws `not_found` without a run, `conflict` when the sending window has closed.
 */
export async function retryFailed(
  db: Knex,
  account: Account,
  filter: RetryFilter,
  now: number,
  signal: AbortSignal,
): Promise<Retried> {
  const run = await findRetryable(db, account, filter, now)
  const day = dayOf(account, run.slot, now)
  const done = { retried: 0, stopped: 0, signed_in: 0, without_permit: 0 }
  for (let after: number | undefined = 0; after !== undefined && !signal.aborted; ) {
    const end = await store.findPageEnd(db, run.id, after, PAGE)
    const failed = await store.findFailed(db, run.id, { after, end: end ?? Number.MAX_SAFE_INTEGER })
    for (const chunk of chunks(failed.filter(matches(filter)), CHUNK)) {
      if (signal.aborted) break
      const users = sortedUnique(chunk.map(({ user_id }) => user_id))
      const prospects = await store.findProspects(db, account.appId, users, day)
      const due = chunk.filter(({ user_id }) => prospects.get(user_id) === 'due')
      done.retried += await inTransaction(db, (trx) => withdrawFailed(trx, account.appId, run.id, due, now))
      for (const prospect of prospects.values()) if (prospect !== 'due') done[prospect]++
      await pause(PAUSE_MS, signal)
    }
    after = end
  }
  return { date: toIsoDate(run.slot), run_id: run.id, ...done }
}

/** Finds the run whose failed reminders can be retried now. */
export async function findRetryable(
  db: Knex,
  account: Account,
  { date }: RetryFilter,
  now: number,
): Promise<JobRun> {
  const today = date ?? businessDate(now, account.timezone)
  assertToday(account, today, now)
  if (now >= windowEnd(account, today))
    throw new ServiceError('conflict', 'The sending window of today has closed: nothing can be sent any more')
  const run = await findRun(db, { job: REMIND, appId: account.appId, slot: today })
  if (!run) throw new ServiceError('not_found', `There is no run of ${toIsoDate(today)}`)
  return run
}

/** Lock order: run, ranges, permits, counters, messages, outcomes. Returns how many were still failed. */
async function withdrawFailed(
  trx: Knex.Transaction,
  appId: string,
  runId: number,
  due: store.FailedMessage[],
  now: number,
): Promise<number> {
  if (due.length === 0) return 0
  const ids = sortedUnique(due.map(({ id }) => id))
  const users = sortedUnique(due.map(({ user_id }) => user_id))
  const ended = await totals.lockForSettling(trx, [runId], 'alone')
  await readUsersAgain(trx, runId, users)
  const permits = await lockSpent(trx, { appId, users, permitIds: await store.findPermitIds(trx, ids) })
  const failed = await store.lockFailed(trx, ids)
  if (failed.length === 0) return 0
  await withdraw(trx, appId, failed, permits, now)
  await countClaimed(trx, runId, -failed.length)
  if (ended.has(runId))
    await totals.moveTotals(trx, runId, { from: 'failed', to: 'cancelled', messages: failed.length }, now)
  await store.cancelFailed(
    trx,
    failed.map(({ id }) => id),
    now,
  )
  const templates = new Map(due.map(({ id, template_id }) => [id, template_id]))
  await addOutcomes(
    trx,
    failed.flatMap((message) => withdrawnOutcomes(message, runId, templates.get(message.id) ?? '')),
    now,
  )
  return failed.length
}

/** From failed to cancelled, under the same code. */
function withdrawnOutcomes(
  { id, errcode, errmsg }: store.LockedFailure,
  runId: number,
  templateId: string,
): OutcomeChange[] {
  const one = { runId, templateId, answer: { errcode, errmsg }, attempted: false }
  return [
    ...outcomesOf({ ...one, state: 'failed', messages: -1, sample: undefined }),
    ...outcomesOf({ ...one, state: 'cancelled', messages: 1, sample: { messageId: id, rid: null } }),
  ]
}
