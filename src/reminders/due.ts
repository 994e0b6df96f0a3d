import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { addDays, businessDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { windowEnd } from '../messages/window.js'
import { closeRun, findLastRun, findRun, openRun } from '../runs/occurrences.js'
import type { Reason } from '../runs/reason.js'
import type { JobRun, Trigger } from '../runs/run.js'
import { REMIND } from './run.js'

/** A daily run to start, or to continue, now. */
export interface DueRun {
  date: number
  triggeredBy: Trigger
}

const ON_TIME_MS = 90_000
const LOOK_BACK_DAYS = 7

/**
 * Finds the daily run to start now: its time has come and it was not started for it, or it was started and nobody has
 * ended it. Asked at each firing and once a minute, so that a missed firing (process down, machine asleep, wall clock
 * skipped by DST) is caught up while the sending window is open, and recorded as missed after it.
 */
export async function findDueRun(db: Knex, account: Account, now: number): Promise<DueRun | undefined> {
  const { appId, timezone } = account
  const date = businessDate(now, timezone)
  const firings = firingsOn(parseCron(account.remindCron), date, timezone)
  const firing = firings.findLast((time) => time <= now)
  if (firing === undefined) return undefined
  const run = await findRun(db, { job: REMIND, appId, slot: date })
  const wasStartedForIt = run !== undefined && run.started_at >= firing
  if (wasStartedForIt && run.state !== 'running') return undefined
  // Someone set a limit or paused it: it is for them to decide whether the run continues.
  if (run?.state === 'limited' || run?.reason?.cause === 'operator') return undefined
  if (now >= windowEnd(account, date)) {
    if (!run)
      await recordMissed(db, appId, date, now, whyMissed(firings[0] ?? firing, windowEnd(account, date)))
    else await closeAbandoned(db, run, now)
    return undefined
  }
  return { date, triggeredBy: now - firing < ON_TIME_MS ? 'cron' : 'catch-up' }
}

/** On the day of a DST change, a firing in the gap moves past it, and may come after its window. */
function whyMissed(firing: number, closesAt: number): Reason {
  return firing < closesAt
    ? {
        en: 'no process was running before its sending window closed',
        zh: '发送时段结束前没有进程在运行',
        cause: 'no_process',
      }
    : {
        en: 'its time (REMIND_CRON) came after its sending window (SEND_UNTIL) had closed',
        zh: '触发时间（REMIND_CRON）晚于发送时段的结束时间（SEND_UNTIL）',
        cause: 'late_firing',
      }
}

const NO_PROCESS_THAT_DAY: Reason = {
  en: 'no process was running on that day',
  zh: '当天没有进程在运行',
  cause: 'no_process',
}

/**
 * Records the days of the past week on which a run was due but no process was running; days before the first run do
 * not count. Ends the last run if it was left running and its window is over.
 */
export async function recordMissedDays(db: Knex, account: Account, now: number): Promise<number[]> {
  const { appId, timezone } = account
  const cron = parseCron(account.remindCron)
  const today = businessDate(now, timezone)
  const last = await findLastRun(db, REMIND, appId)
  if (!last) return []
  if (now >= windowEnd(account, last.slot)) await closeAbandoned(db, last, now)
  const missed: number[] = []
  for (
    let date = Math.max(addDays(last.slot, 1), addDays(today, -LOOK_BACK_DAYS));
    date < today;
    date = addDays(date, 1)
  ) {
    if (firingsOn(cron, date, timezone).length === 0) continue
    await recordMissed(db, appId, date, now, NO_PROCESS_THAT_DAY)
    missed.push(date)
  }
  return missed
}

/** Ends a run that nobody has ended, and that nobody may continue: the processes that worked on it died. */
async function closeAbandoned(db: Knex, run: JobRun, now: number): Promise<void> {
  // If the run was waiting for WeChat to come back, its own reason says more.
  const why = run.reason ?? { en: 'No process was running.', zh: '当时没有进程在运行。' }
  const reason: Reason = {
    en: `Its sending window closed. ${why.en}`,
    zh: `发送时段已结束。${why.zh}`,
    cause: run.reason?.cause === 'outage' ? 'outage_to_the_end' : 'abandoned',
  }
  if (run.state === 'running') await closeRun(db, run.id, { state: 'window_closed', reason }, now)
}

async function recordMissed(
  db: Knex,
  appId: string,
  date: number,
  now: number,
  reason: Reason,
): Promise<void> {
  await openRun(
    db,
    { job: REMIND, appId, slot: date },
    { triggeredBy: 'catch-up', state: 'missed', reason },
    now,
  )
}
