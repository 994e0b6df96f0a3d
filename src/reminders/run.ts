import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { isUsable } from '../books/usable.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { pause } from '../lib/pause.js'
import { type Brake, createBrake } from '../messages/brake.js'
import { type DeliverDeps, deliverAll, type Source } from '../messages/deliver.js'
import { findUnfinished } from '../messages/lease-store.js'
import { takeOver } from '../messages/recovery.js'
import { addTallies, emptyTally, type Tally } from '../messages/settle.js'
import { createDeadlines } from '../messages/window.js'
import * as limits from '../runs/limit.js'
import {
  closeRun,
  type JobRun,
  openRun,
  type RunState,
  reopenRun,
  type Trigger,
} from '../runs/occurrences.js'
import * as cursors from '../runs/ranges.js'
import { recordStandings } from '../runs/totals.js'
import { claimDue } from './claim.js'
import * as store from './store.js'

export interface RunOptions {
  date: number
  triggeredBy: Trigger
  signal: AbortSignal
  /** Users to claim at most from now on, in all processes that work at the run. */
  limit?: number
  onProgress?(tally: Tally): void
}

/** What this process did for the run, and how the run ended. */
export interface RunReport {
  runId: number
  date: number
  state: 'done' | 'halted' | 'paused' | 'limited' | 'window_closed'
  reason: string | null
  due: number
  delivered: number
  failed: number
  unknown: number
  retrying: number
  cancelled: number
  skippedSignedIn: number
}

type Ending = Pick<RunReport, 'state' | 'reason'>

const BATCH = 500
/** With a slow SEND_RATE no more is claimed than goes out in this time: a stop then has little to give back. */
const BATCH_SECONDS = 5
/** How often a busy run looks for messages that others left: they are there at a start, and rarely afterwards. */
const LOOK_FOR_LEFT_MS = 1_000
/** Retries that are due later than this are left to the recovery: a minute's quota and a back-off fit in, an hour does not. */
const PATIENCE_MS = 150_000
/**
 * A refusal of the one who goes first may be his own (a dead permit, a block), and says little about the template. So
 * the next one goes alone as well, but not for ever: they may be strangers who mean to hold up the run.
 */
const MAX_CANARIES = 3
const POLL_MS = 100
const MAX_POLL_MS = 1_000

/**
 * The daily run of one account: opens its occurrence or joins it, sends one message alone, then reminds whoever is due,
 * works off retries and what dead processes left, and writes down how it ended. Safe to start any number of times, in
 * any number of processes.
 */
export async function runReminders(
  deps: DeliverDeps,
  account: Account,
  options: RunOptions,
): Promise<RunReport> {
  const { db, now, log } = deps
  const { date, signal } = options
  assertToday(account, date, now())
  const run = await openOrJoin(db, account, options, now())
  log.info({
    event: 'remind.started',
    app_id: account.appId,
    run_id: run.id,
    date,
    trigger: options.triggeredBy,
  })

  const brake = createBrake(await store.findNormalRefusals(db, account.appId, run.id))
  const source = createReminderSource(deps, account, run.id, brake, options)
  const { onProgress } = options
  const closesAt = createDeadlines(account)
  const deliverOptions = { brake, signal, closesAt, ...(onProgress ? { onProgress } : {}) }
  const tally = addTallies(await deliverAll(deps, source, deliverOptions), source.settledAtOnce)

  const { state, reason }: Ending = brake.halt ?? source.ending() ?? { state: 'done', reason: null }
  const ending = { state, reason }
  // A run that was only stopped stays `running`: the next process to start goes on with it, or the schedule's next tick.
  if (brake.halt?.passing)
    await inTransaction(db, (trx) => store.startOver(trx, run.id, account.appId, reason))
  else if (!signal.aborted || state !== 'paused') await closeRun(db, run.id, ending, now())
  const report = await writeReport(db, account, run, tally, ending, now())
  const { runId, skippedSignedIn, ...rest } = report
  log[ending.state === 'done' || ending.state === 'limited' ? 'info' : 'warn']({
    event: 'remind.ended',
    app_id: account.appId,
    run_id: runId,
    ...rest,
    skipped_signed_in: skippedSignedIn,
  })
  return report
}

/**
 * The reminder of a later day would keep its users from being reminded until then, and that of a day that is over only
 * spoil what its run has said.
 */
export function assertToday({ timezone }: Account, date: number, now: number): void {
  const today = businessDate(now, timezone)
  if (date === today) return
  throw new ServiceError(
    'invalid_request',
    `${toIsoDate(date)} cannot be reminded now: in ${timezone} today is ${toIsoDate(today)}, and only today's users are reminded`,
  )
}

async function openOrJoin(
  db: Knex,
  { appId }: Account,
  { date, triggeredBy, limit }: RunOptions,
  now: number,
): Promise<JobRun> {
  const occurrence = { job: 'remind', appId, slot: date } as const
  const opening = {
    triggeredBy,
    state: 'running',
    ...(limit === undefined ? {} : { claimLimit: limit }),
  } as const
  const { run, opened } = await openRun(db, occurrence, opening, now)
  await inTransaction(db, async (trx) => {
    const state = await store.lockRun(trx, run.id)
    // While it runs the smaller limit holds, whoever joins; a run that had ended goes on with ours, or without.
    if (state !== 'running') await limits.liftLimit(trx, run.id)
    if (limit !== undefined && !opened) await limits.limitRun(trx, run.id, limit)
    if (state === 'running' && (await cursors.hasUnreadRanges(trx, run.id))) return
    await reopenRun(trx, run.id, triggeredBy, now)
    await cursors.resetRanges(trx, run.id, appId)
  })
  return run
}

interface ReminderSource extends Source {
  ending(): Ending | undefined
  /** What was taken over too late to be sent, and settled without it. */
  settledAtOnce: Tally
}

/** Claims for one run, with the reason why it ended if that was not for lack of users. */
function createReminderSource(
  deps: DeliverDeps,
  account: Account,
  runId: number,
  brake: Brake,
  { date, signal, triggeredBy }: RunOptions,
): ReminderSource {
  const { db, now, leaseMs } = deps
  const perSecond = deps.rate.perSecond ?? Number.POSITIVE_INFINITY
  const batch = Math.max(1, Math.min(BATCH, Math.ceil(perSecond * BATCH_SECONDS)))
  const closesAt = createDeadlines(account)(date)
  const settledAtOnce = emptyTally()
  let canary: 'to_send' | 'sent' | 'to_repeat' | 'answered' = 'to_send'
  let canaries = 0
  let exhausted = false
  let limited = false
  let ended = false
  let lookedAt = Number.NEGATIVE_INFINITY
  let pollMs = POLL_MS
  let ending: Ending | undefined

  async function wait(): Promise<[]> {
    await pause(pollMs, signal)
    pollMs = Math.min(MAX_POLL_MS, pollMs * 2)
    return []
  }

  async function findLeft() {
    const lookedAgo = performance.now() - lookedAt
    if (lookedAgo < LOOK_FOR_LEFT_MS && !exhausted && canary !== 'to_repeat') return []
    lookedAt = performance.now()
    const limits = { limit: canary === 'answered' ? batch : 1, leaseMs, now: now() }
    const { deliveries } = await takeOver(db, account, limits, settledAtOnce)
    return deliveries
  }

  async function claimNext() {
    const wanted = canary === 'to_send' ? 1 : batch
    const claim = await claimDue(db, account, {
      runId,
      date,
      leaseMs,
      now: now(),
      read: BATCH,
      claim: wanted,
    })
    if (claim.kind === 'claimed') return claim.deliveries
    if (claim.kind === 'busy') return wait()
    if (claim.kind === 'ended') {
      if (claim.state === 'done' && (await cursors.hasUnreadRanges(db, runId))) {
        // Users were given back after it was ended; here the run goes on.
        await reopenRun(db, runId, triggeredBy, now())
        return []
      }
      ended = true
      if (claim.state !== 'done') ending = { state: endingOf(claim.state), reason: claim.reason }
    }
    limited = claim.kind === 'limited'
    exhausted = true
    return []
  }

  return {
    settledAtOnce,
    ending: () =>
      signal.aborted ? { state: 'paused', reason: 'stopped by a signal; run it again to go on' } : ending,
    async next(idle) {
      if (ending) return undefined
      if (canary === 'sent') {
        if (!(await idle())) return undefined
        // In an outage the same one goes out again: each other user would be only one more in doubt.
        if (!brake.answered) canary = 'to_repeat'
        else canary = brake.accepted || ++canaries >= MAX_CANARIES ? 'answered' : 'to_send'
      }
      if (now() >= closesAt) {
        ending = { state: 'window_closed', reason: windowReason(account) }
        return undefined
      }
      const left = await findLeft()
      const mayClaim = !exhausted && canary !== 'to_repeat'
      const next = left.length > 0 || !mayClaim ? left : await claimNext()
      if (next.length > 0) {
        pollMs = POLL_MS
        if (canary !== 'answered') canary = 'sent'
        return next
      }
      if (ending) return undefined
      if (!exhausted && canary !== 'to_repeat') return []

      if (!(await idle())) return undefined
      const { sending, nextRetryAt } = await findUnfinished(db, account.appId)
      const isSoon = nextRetryAt !== undefined && nextRetryAt - now() < PATIENCE_MS
      if (canary === 'to_repeat' && !isSoon) {
        canary = 'to_send'
        return []
      }
      // Also waits for what another process has in hand: if that one dies, its messages are taken over here.
      if (sending || isSoon) return wait()
      if (limited && !(await limits.hasRoom(db, runId))) {
        ending = {
          state: 'limited',
          reason: 'it has reminded as many as --limit lets it; run remind again for the rest',
        }
        return undefined
      }
      // If it was stopped, it has given users back behind the cursors.
      if (ended || !(await cursors.hasUnreadRanges(db, runId))) return undefined
      exhausted = false
      return []
    },
  }
}

function endingOf(state: RunState): Ending['state'] {
  return state === 'running' || state === 'missed' ? 'done' : state
}

function windowReason({ sendUntil, timezone }: Account): string {
  const time = [sendUntil.hour, sendUntil.minute].map((part) => String(part).padStart(2, '0')).join(':')
  return `the sending window of that day closed at ${time} ${timezone} (SEND_UNTIL)`
}

async function writeReport(
  db: Knex,
  account: Account,
  run: JobRun,
  tally: Tally,
  ending: Ending,
  now: number,
): Promise<RunReport> {
  const day = { date: run.slot, usable: isUsable(account, now) }
  // In an outage a run pauses each minute: of such a pause only the users it has reached are told.
  const standings = ending.state === 'paused' ? undefined : await store.countStandings(db, account.appId, day)
  const stillDue = standings?.due ?? 0
  const skippedSignedIn = standings?.signed_in ?? 0
  const retrying = await inTransaction(db, (trx) =>
    recordStandings(trx, run.id, { stillDue, skippedSignedIn, now }),
  )
  const { delivered, failed, unknown, cancelled } = tally
  return {
    runId: run.id,
    date: run.slot,
    ...ending,
    due: delivered + failed + unknown + retrying + stillDue,
    delivered,
    failed,
    unknown,
    retrying,
    cancelled,
    skippedSignedIn,
  }
}
