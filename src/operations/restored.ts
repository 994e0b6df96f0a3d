import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { lastRemindedOn } from '../books/index.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { addDays, businessDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { groupBy } from '../lib/group-by.js'
import { pause } from '../lib/pause.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { findOrAddCard } from '../messages/card-store.js'
import { closeClaims } from '../messages/lease-store.js'
import { countOpen } from '../messages/open-store.js'
import { claimed as claimedOutcome, outcomesOf, sampleOf, waiting } from '../messages/outcome.js'
import { windowEnd } from '../messages/window.js'
import { claimRange } from '../reminders/claim.js'
import { dayOf, findDue } from '../reminders/due-store.js'
import { endRun, findRun, openRun } from '../runs/occurrences.js'
import { addOutcomes, type OutcomeChange } from '../runs/outcomes.js'
import type { Reason } from '../runs/reason.js'
import * as totals from '../runs/totals.js'
import * as store from './restored-store.js'

const CHUNK = 500
const PAUSE_MS = 10
/** Marks the runs that a repeated call may go on with after one that was cut short. */
const REASON: Reason = {
  en: 'restored: what was recorded on this day after the dump is lost; everyone who was due counts as reminded',
  zh: '已从备份恢复：备份之后当天的记录已丢失，所有应提醒的用户都视为已提醒',
  cause: 'restored',
}
const ERRMSG = 'restored: it may have been sent after the dump was taken'

export interface RestoredOptions {
  /** When the dump was taken, in ms. */
  since: number
  dryRun: boolean
  signal: AbortSignal
  onProgress?(users: number): void
}

export interface RestoredDay {
  date: number
  /** Users who were due in the restored books: each now has a message `unknown`, and its permit is spent. */
  users: number
}

export interface RestoredReport {
  days: RestoredDay[]
  /** Messages that were open in the dump and are `unknown` now. */
  open: number
}

interface GapDay {
  date: number
  /** When its reminders could have begun to go out without these books knowing. */
  at: number
}

/**
 * Closes the gap between a dump and now. The books do not show what the runs of these days have sent, so
 * everybody would be due again; WeChat refuses a form_id that it has used, but a younger one, or a
 * subscription, would become a second message. So each user who was due is written down as a run would have
 * done it, with the same permit, as `unknown`: may have been delivered. On `subscribe` a permit that WeChat
 * has already used up would be answered 43101, an opt-out, for everybody at once.
 *
 * First all runs of these days are kept from going on, then users are marked, chunk by chunk. This may be cut
 * short and repeated: a marked user is not due any more.
 */
export async function closeGap(
  db: Knex,
  account: Account,
  options: RestoredOptions,
  now: number,
): Promise<RestoredReport> {
  const { appId } = account
  const { since, dryRun, signal } = options
  if (since > now) throw new ServiceError('invalid_request', 'The dump cannot have been taken in the future')
  const before = await countOpen(db, appId, now)
  if (before.inHand > 0)
    throw new ServiceError(
      'conflict',
      `${before.inHand} messages are held by a process. Stop every process of the service first, and wait 15 seconds`,
    )
  const days = await findGapDays(db, account, since, now)
  const report: RestoredReport = { days: [], open: before.lapsed + before.retriesDue + before.retriesLater }
  if (!dryRun) {
    for (const { date } of days) await endRunOf(db, appId, date, now)
    report.open = await endOpen(db, appId, now)
  }
  let done = 0
  for (const day of days) {
    const users = await markDay(db, account, day, { dryRun, signal }, now, (more) => {
      done += more
      options.onProgress?.(done)
    })
    report.days.push({ date: day.date, users })
  }
  return report
}

/**
 * Days on which a run could have sent after the dump. A run that had ended before it has sent nothing since.
 */
async function findGapDays(db: Knex, account: Account, since: number, now: number): Promise<GapDay[]> {
  const { appId, timezone } = account
  const cron = parseCron(account.remindCron)
  const days: GapDay[] = []
  for (
    let date = businessDate(since, timezone);
    date <= businessDate(now, timezone);
    date = addDays(date, 1)
  ) {
    const [firing] = firingsOn(cron, date, timezone)
    if (firing === undefined || firing > now || windowEnd(account, date) <= since) continue
    const run = await findRun(db, { job: 'remind', appId, slot: date })
    const isOpen = run === undefined || ['running', 'halted', 'paused'].includes(run.state)
    if (isOpen || run.reason?.cause === 'restored')
      days.push({ date, at: Math.min(now, Math.max(firing, since)) })
  }
  return days
}

async function endRunOf(db: Knex, appId: string, date: number, now: number): Promise<void> {
  const occurrence = { job: 'remind', appId, slot: date } as const
  const opening = { triggeredBy: 'manual', state: 'done', reason: REASON } as const
  const { run } = await openRun(db, occurrence, opening, now)
  await inTransaction(db, async (trx) => {
    await endRun(trx, run.id, REASON, now)
    await totals.countTotals(trx, run.id)
  })
}

async function endOpen(db: Knex, appId: string, now: number): Promise<number> {
  let ended = 0
  for (;;) {
    const ids = await inTransaction(db, async (trx) => {
      const open = await store.lockOpen(trx, appId, CHUNK)
      if (open.length === 0) return open
      const runs = groupBy(open, ({ run_id }) => run_id)
      const ended = await totals.lockForSettling(trx, [...runs.keys()], 'alone')
      await store.endAsUnknown(
        trx,
        open.map(({ id }) => id),
        ERRMSG,
        now,
      )
      for (const [runId, { length: messages }] of runs) {
        if (runId !== null && ended.has(runId))
          await totals.moveTotals(trx, runId, { from: 'retrying', to: 'unknown', messages }, now)
      }
      await addOutcomes(trx, open.flatMap(unknownOutcome), now)
      return open
    })
    if (ids.length === 0) return ended
    ended += ids.length
  }
}

function unknownOutcome({
  id,
  run_id: runId,
  state,
  errcode,
  template_id,
}: store.OpenMessage): OutcomeChange[] {
  const ended = unknown(runId, template_id, errcode, id)
  return state === 'retry' ? [waiting(runId, -1), ...ended] : ended
}

function unknown(
  runId: number | null,
  templateId: string,
  errcode: number | null,
  messageId: number,
): OutcomeChange[] {
  const answer = { errcode, errmsg: ERRMSG }
  const sample = sampleOf(messageId, { rid: null })
  return outcomesOf({ runId, templateId, state: 'unknown', answer, attempted: false, messages: 1, sample })
}

async function markDay(
  db: Knex,
  account: Account,
  { date, at }: GapDay,
  { dryRun, signal }: { dryRun: boolean; signal: AbortSignal },
  now: number,
  onMarked: (users: number) => void,
): Promise<number> {
  const { appId } = account
  const run = await findRun(db, { job: 'remind', appId, slot: date })
  const isToday = date === businessDate(now, account.timezone)
  const writes = run && !dryRun ? { runId: run.id, card: await findOrAddCard(db, account, now) } : undefined
  let users = 0
  let after: UserId = Number.MIN_SAFE_INTEGER
  while (!signal.aborted) {
    const end: UserId | undefined = await store.findWindowEnd(db, appId, after, CHUNK)
    if (end === undefined) break
    const range = { range_no: 0, cur: after, hi: end }
    const { marked, again } = await inTransaction(db, async (trx) => {
      if (!writes) {
        const due = await findDue(trx, appId, range, dayOf(account, date, at), CHUNK)
        return { marked: due.length, again: null }
      }
      const of = { ...writes, date, leaseMs: 0, now: at, besideMessages: true, areFewDue: false }
      const { claimed, again } = await claimRange(trx, account, range, CHUNK, of)
      const [first] = claimed
      if (first) {
        const ids = sortedUnique(claimed.map(({ id }) => id))
        await store.endAsUnknown(trx, ids, ERRMSG, now)
        await closeClaims(trx, [first.lease.claimId])
        await totals.addUnknown(trx, writes.runId, ids.length, now)
        const outcomes = claimed.flatMap(({ id, templateId }) => unknown(writes.runId, templateId, null, id))
        await addOutcomes(trx, [claimedOutcome(writes.runId, ids.length), ...outcomes], now)
      }
      return { marked: claimed.length, again }
    })
    users += marked
    onMarked(marked)
    // Users without a permit in these books may have been reminded too, with a permit that came after the
    // dump.
    if (isToday && !dryRun && again === null) await lastRemindedOn(db, appId, { after, end }, date, now)
    if (again === null) after = end
    await pause(PAUSE_MS, signal)
  }
  return users
}
