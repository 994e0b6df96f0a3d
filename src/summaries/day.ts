import type { Knex } from 'knex'
import { addDays, type BusinessDate, businessDate, timeOn } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import { HOUR_MS } from '../lib/durations.js'
import { sumOutcomes } from '../runs/outcomes.js'
import type { Range } from '../runs/ranges.js'
import type { ReminderTimes } from './coming-days.js'
import * as store from './day-store.js'

/** A day whose counts are made, page by page of the account's users. */
export interface DaySums {
  day: BusinessDate
  addPage(page: Range): Promise<void>
  counts(): store.DayCounts
}

/** Late answers, late sign-ins and the last sweep of a day are in its counts if these are made so long after its end. */
const SETTLED_MS = HOUR_MS
/** Days that nobody was there to count are made up for so far back. */
const LOOK_BACK_DAYS = 7

/** The days that have to be counted: today, and recent ones that were last counted too early, or not at all. */
export async function daysToCount(db: Knex, times: ReminderTimes, now: number): Promise<BusinessDate[]> {
  const today = businessDate(now, times.timezone)
  const first = addDays(today, -LOOK_BACK_DAYS)
  const rows = await store.findDays(db, times.appId, { first, last: today })
  const isFinal = (day: BusinessDate): boolean => {
    const asOf = rows.find((row) => row.day === day)?.as_of ?? 0
    return asOf >= spanOf(day, times.timezone).endsAt + SETTLED_MS
  }
  const days: BusinessDate[] = []
  for (let day = first; day <= today; day = addDays(day, 1)) if (!isFinal(day)) days.push(day)
  return days
}

/** Begins to count a day: what needs no page of users at once. */
export async function startDay(db: Knex, times: ReminderTimes, day: BusinessDate): Promise<DaySums> {
  const { appId, timezone } = times
  const span = spanOf(day, timezone)
  const run = (await store.findRuns(db, appId, { first: day, last: day }))[0]
  const [firing] = firingsOn(parseCron(times.remindCron), day, timezone)
  const firstSent = run && (await store.findFirstSent(db, run.id))
  const beganAt = firstSent ?? firing ?? span.startsAt
  const counts: store.DayCounts = {
    ...(await spentBy(db, run)),
    expired: await store.countExpired(db, appId, span),
    sign_ins: 0,
    reminded: 0,
    reminded_signed_in: 0,
    others: 0,
    others_signed_in: 0,
  }
  return {
    day,
    counts: () => counts,
    async addPage(page) {
      counts.sign_ins += await store.countSignIns(db, appId, page, day)
      for (const row of await store.countStandings(db, appId, page, { day, endsAt: span.endsAt, beganAt }))
        addStanding(counts, row)
    },
  }
}

/** Who had signed in before the run began was not to be reminded, and says nothing about what a reminder does. */
function addStanding(counts: store.DayCounts, { reminded, signed_in, users }: store.Standings): void {
  const isAfter = signed_in === 'after'
  if (reminded === 1) {
    counts.reminded += users
    if (isAfter) counts.reminded_signed_in += users
  } else if (signed_in !== 'before') {
    counts.others += users
    if (isAfter) counts.others_signed_in += users
  }
}

/** One permit for each reminder that was not given back. The totals of a run under way are kept apart from it. */
async function spentBy(
  db: Knex,
  run: store.DayRun | undefined,
): Promise<Pick<store.DayCounts, 'spent' | 'failed'>> {
  if (!run) return { spent: 0, failed: 0 }
  if (run.state !== 'running')
    return { spent: run.delivered + run.failed + run.unknown + run.retrying, failed: run.failed }
  const { delivered, failed, unknown, waiting } = await sumOutcomes(db, run.id)
  return { spent: delivered + failed + unknown + waiting, failed }
}

function spanOf(day: BusinessDate, timezone: string): { startsAt: number; endsAt: number } {
  return { startsAt: timeOn(day, 0, 0, timezone), endsAt: timeOn(addDays(day, 1), 0, 0, timezone) }
}
