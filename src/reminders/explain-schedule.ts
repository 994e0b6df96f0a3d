import type { Account } from '../account.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { windowEnd } from '../messages/window.js'
import type { RunFact } from './explain-facts.js'

/** When the daily run of a day starts, and until when it may send. In ms. */
export interface DaySchedule {
  firings: number[]
  closesAt: number
  /** Those of the firings whose run can still send. */
  useful: number[]
}

export function scheduleOf(account: Account, date: number): DaySchedule {
  const closesAt = windowEnd(account, date)
  const firings = firingsOn(parseCron(account.remindCron), date, account.timezone)
  return { firings, closesAt, useful: firings.filter((at) => at < closesAt) }
}

/** The moments at which a run will look at the user, the first of them first. */
export interface Coming {
  moments: [number, ...number[]]
  /** What the first of them is. */
  how: 'firing' | 'catch_up' | 'under_way'
}

/**
 * When today's run will look at the user again by itself: as findDueRun (due.ts) starts and continues runs. Undefined
 * if it will not: then what has been is all that there is, unless somebody starts `remind` by hand.
 */
export function comingToday(
  { firings, closesAt, useful }: DaySchedule,
  run: RunFact | undefined,
  now: number,
): Coming | undefined {
  if (now >= closesAt) return undefined
  // It is for whoever set a limit or paused the run to decide whether it continues.
  if (run?.state === 'limited' || run?.reason?.cause === 'operator') return undefined
  const later = useful.filter((at) => at > now)
  if (run?.state === 'running' && !run.isRead) return { moments: [now, ...later], how: 'under_way' }
  const latest = firings.findLast((at) => at <= now)
  const isStarted =
    run !== undefined && (run.state === 'running' || latest === undefined || run.started_at >= latest)
  if (latest !== undefined && !isStarted) return { moments: [now, ...later], how: 'catch_up' }
  const [first, ...rest] = later
  return first === undefined ? undefined : { moments: [first, ...rest], how: 'firing' }
}
