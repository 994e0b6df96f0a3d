import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { createBrake } from '../messages/brake.js'
import { findOrAddCard } from '../messages/card-store.js'
import { deliverAll } from '../messages/deliver.js'
import type { DeliverDeps } from '../messages/delivery.js'
import { addTallies, emptyTally, type Tally } from '../messages/tally.js'
import { createDeadlines } from '../messages/window.js'
import { lookBeforeRun } from '../preflight/before-run.js'
import { liftLimit, limitRun } from '../runs/limit.js'
import { findRun, lockRun, reopenRun, startOver } from '../runs/occurrences.js'
import { hasUnreadRanges, resetRanges } from '../runs/ranges.js'
import type { Reason } from '../runs/reason.js'
import type { JobRun, Occurrence, Trigger } from '../runs/run.js'
import { runOccurrence } from '../runs/run-occurrence.js'
import { recordStandings } from '../runs/totals.js'
import { openAllFollowers } from '../users/followers.js'
import type { Auxiliary } from '../wechat/auxiliary.js'
import { dayOf } from './due-store.js'
import { notePlanned } from './planned.js'
import { createProgressLog } from './progress.js'
import { askAfterSpent, askBeforeRun } from './run-quota.js'
import { createReminderSource, type RunEnding } from './source.js'
import * as store from './store.js'

export const REMIND = 'remind'

export interface RemindDeps extends DeliverDeps {
  auxiliary: Auxiliary
}

export interface RemindOptions {
  date: number
  triggeredBy: Trigger
  signal: AbortSignal
  /** The most users to claim from now on, over all processes that work on the run. */
  limit?: number
  onProgress?(tally: Tally): void
}

/** What this process did for the run, and how the run ended. */
export interface RunReport {
  state: RunEnding['state']
  reason: string | null
  reasonZh: string | null
  runId: number
  date: number
  due: number
  delivered: number
  failed: number
  unknown: number
  retrying: number
  cancelled: number
  skippedSignedIn: number
}

/**
 * Runs the daily reminders of one account: opens or joins the occurrence, looks whether its template is there and fits,
 * sends one message alone, then reminds everyone who is due, processes retries and what dead processes left, and records
 * how it ended. Safe to start any number of times, in any number of processes.
 */
export async function runReminders(
  deps: RemindDeps,
  account: Account,
  options: RemindOptions,
): Promise<RunReport> {
  const { db, now, log } = deps
  const { appId } = account
  const { date, triggeredBy, limit } = options
  assertToday(account, date, now())
  const occurrence: Occurrence = { job: REMIND, appId, slot: date }
  const entered = await runOccurrence(
    deps,
    occurrence,
    {
      triggeredBy,
      now,
      claimLimit: limit,
      enter: async (run, opened) => {
        if (opened) await openAllFollowers(db, account, now())
        if (opened) await notePlanned(deps, account, run, now())
        return join(db, appId, run, { opened, triggeredBy, limit }, now())
      },
      ifItFails: 'leave_running',
    },
    async ({ id }) => {
      log.info({ event: 'remind.started', app_id: appId, run_id: id, date, trigger: triggeredBy })
      // Since it was entered, it has a new start if it was reopened.
      const run = await findRun(db, occurrence)
      const obstacle = run && (await findObstacle(deps, account, run, options.signal))
      const result = obstacle ? haltedBy(obstacle) : await sendReminders(deps, account, id, options)
      if (run && result.ending.reason?.cause === 'quota')
        await askAfterSpent(deps, account, run, options.signal)
      return { ending: isOver(result, options.signal) ? result.ending : undefined, result }
    },
  )
  if (!entered) throw new Error(`The run of ${date} was not entered`)
  const { tally, ending } = entered.result
  const report = await writeReport(db, account, entered.run, tally, ending, now())
  const { runId, skippedSignedIn, reasonZh: _, ...rest } = report
  const isWell = ending.state === 'done' || ending.state === 'limited'
  log[isWell ? 'info' : 'warn']({
    event: 'remind.ended',
    app_id: appId,
    run_id: runId,
    ...rest,
    skipped_signed_in: skippedSignedIn,
  })
  return report
}

/**
 * Refuses any day but today. A reminder of a later day would keep its user from being reminded until then; one of a
 * past day would only spoil what that day's run has recorded.
 */
export function assertToday({ timezone }: Account, date: number, now: number): void {
  const today = businessDate(now, timezone)
  if (date === today) return
  throw new ServiceError(
    'invalid_request',
    `${toIsoDate(date)} is not today: in ${timezone} today is ${toIsoDate(today)}, and only today's reminders can be sent`,
  )
}

/** Any process may work on a run. A run that had ended, or has no users left to read, starts over. */
async function join(
  db: Knex,
  appId: string,
  { id }: JobRun,
  { opened, triggeredBy, limit }: { opened: boolean; triggeredBy: Trigger; limit: number | undefined },
  now: number,
): Promise<boolean> {
  await inTransaction(db, async (trx) => {
    const { state, reason } = (await lockRun(trx, id)) ?? { state: undefined, reason: null }
    // Somebody has paused it since the schedule found it due: claims then tell us so.
    if (reason?.cause === 'operator' && triggeredBy !== 'manual') return
    // While the run is running, the smaller limit holds, whoever joins. A run that had ended continues with our
    // limit, or without one.
    if (state !== 'running') await liftLimit(trx, id)
    if (limit !== undefined && !opened) await limitRun(trx, id, limit)
    if (state === 'running' && (await hasUnreadRanges(trx, id))) return
    await reopenRun(trx, id, triggeredBy, now)
    await resetRanges(trx, id, appId)
  })
  return true
}

/** Asks what has to be known before anything is sent, once for all processes. Returns why the run must not begin. */
async function findObstacle(
  deps: RemindDeps,
  account: Account,
  run: JobRun,
  signal: AbortSignal,
): Promise<Reason | undefined> {
  if (run.state !== 'running') return undefined
  const [obstacle] = await Promise.all([
    lookBeforeRun(deps, account, run, signal),
    askBeforeRun(deps, account, run, signal),
  ])
  return obstacle
}

interface Sent {
  tally: Tally
  ending: RunEnding
  /** WeChat takes no messages just now: the schedule continues the run by itself. */
  isPassing: boolean
}

function haltedBy(reason: Reason): Sent {
  return { tally: emptyTally(), ending: { state: 'halted', reason }, isPassing: false }
}

async function sendReminders(
  deps: DeliverDeps,
  account: Account,
  runId: number,
  { date, triggeredBy, signal, onProgress }: RemindOptions,
): Promise<Sent> {
  const { db } = deps
  const brake = createBrake(await store.findNormalRefusals(db, account.appId, runId))
  const card = await findOrAddCard(db, account, deps.now())
  const source = createReminderSource(deps, account, brake, { runId, date, card, triggeredBy, signal })
  const closesAt = createDeadlines(account)
  const progress = createProgressLog(deps, { app_id: account.appId, run_id: runId, date })
  const sent = await deliverAll(deps, progress.watch(source), {
    kind: 'reminder',
    brake,
    signal,
    closesAt,
    onProgress(tally) {
      progress.settled(tally)
      onProgress?.(tally)
    },
  })
  const { state, reason } = brake.halt ?? source.ending()
  const isPassing = brake.halt?.passing === true
  if (isPassing) await inTransaction(db, (trx) => startOver(trx, runId, account.appId, reason))
  return { tally: addTallies(sent, source.settledAtOnce), ending: { state, reason }, isPassing }
}

/** A run that was only stopped, or that waits for WeChat, stays `running`: the next tick or process continues it. */
function isOver({ ending, isPassing }: Sent, signal: AbortSignal): boolean {
  return !isPassing && !(signal.aborted && ending.state === 'paused')
}

async function writeReport(
  db: Knex,
  account: Account,
  run: JobRun,
  tally: Tally,
  ending: RunEnding,
  now: number,
): Promise<RunReport> {
  const day = dayOf(account, run.slot, now)
  // In an outage a run pauses each minute; the report of such a pause counts only the users it has reached.
  const unreminded =
    ending.state === 'paused' ? undefined : await store.countUnreminded(db, account.appId, run.id, day)
  const retrying = await inTransaction(db, (trx) => recordStandings(trx, run.id, { unreminded, now }))
  const { delivered, failed, unknown, cancelled } = tally
  return {
    runId: run.id,
    date: run.slot,
    state: ending.state,
    reason: ending.reason?.en ?? null,
    reasonZh: ending.reason?.zh ?? null,
    due: delivered + failed + unknown + retrying + (unreminded?.due ?? 0),
    delivered,
    failed,
    unknown,
    retrying,
    cancelled,
    skippedSignedIn: unreminded?.signed_in ?? 0,
  }
}
