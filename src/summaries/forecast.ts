import type { Knex } from 'knex'
import { addDays, businessDate, toIsoDate } from '../lib/business-date.js'
import { groupBy } from '../lib/group-by.js'
import { comingDays } from './coming-days.js'
import { computeForecast, type ForecastAccount, type ReachForecast } from './compute.js'
import { type Expected, expectedOf, HISTORY_DAYS } from './expected.js'
import * as store from './forecast-store.js'
import { isSmall } from './size-store.js'

export const MAX_DAYS = 30
export const DEFAULT_DAYS = 7
/** One day more than anybody asks for: the newest forecast may be of yesterday. */
export const KEPT_DAYS = MAX_DAYS + 1

export interface ForecastDay {
  date: string
  /** Users who can be reminded if no permit arrives, nobody signs in, and every earlier day's reminder is spent. */
  reachable: number
  /** Permits that are valid at the day's firing and are not spent on earlier days. */
  permits_left: number
  /** Users who are reachable on this day and not on the next one with reminders. */
  going_dark: number
  /** What usually becomes of such a forecast, see expected.ts; null without enough history. */
  expected: number | null
  expected_low: number | null
  expected_high: number | null
}

export interface Forecast {
  /** The first day: today while its window is open, else tomorrow. */
  from: string
  /** When it was counted, ISO 8601; null: not yet. */
  as_of: string | null
  days: ForecastDay[]
}

/**
 * The forecast of the coming 1 to MAX_DAYS days: computed now where the account is small, else as last kept, at most
 * some minutes ago, see as_of.
 */
export async function findForecast(
  db: Knex,
  account: ForecastAccount,
  { days = DEFAULT_DAYS }: { days?: number },
  now: number,
): Promise<Forecast> {
  const reach = (await isSmall(db, account.appId))
    ? await computeForecast(db, account, { days, now })
    : await keptForecast(db, account, days, now)
  return withExpected(db, account, reach, now)
}

/** The same, always computed now, whatever the size of the account. */
export async function forecastNow(
  db: Knex,
  account: ForecastAccount,
  options: { days: number; now: number; onPage?: (counters: number) => void },
): Promise<Forecast> {
  return withExpected(db, account, await computeForecast(db, account, options), options.now)
}

/** A forecast as it was computed, or as it was kept: null = none yet. */
type KeptReach = Omit<ReachForecast, 'asOf'> & { asOf: number | null }

/** What was kept of the coming days. */
async function keptForecast(
  db: Knex,
  account: ForecastAccount,
  count: number,
  now: number,
): Promise<KeptReach> {
  const coming = comingDays(account, count, now)
  const kept = new Map((await store.findNewest(db, account.appId)).map((day) => [day.day, day]))
  const days = coming.days.flatMap(({ date, position }) => {
    const day = kept.get(date)
    if (!day) return []
    return [
      {
        date,
        position,
        reachable: day.reachable,
        permitsLeft: day.permits_left,
        goingDark: day.going_dark,
      },
    ]
  })
  const [any] = kept.values()
  return { from: coming.from, asOf: any?.as_of ?? null, days }
}

async function withExpected(
  db: Knex,
  account: ForecastAccount,
  reach: KeptReach,
  now: number,
): Promise<Forecast> {
  const outcomes = groupBy(await recentOutcomes(db, account, now), ({ position }) => position)
  return {
    from: toIsoDate(reach.from),
    as_of: reach.asOf === null ? null : new Date(reach.asOf).toISOString(),
    days: reach.days.map(({ date, position, reachable, permitsLeft, goingDark }) => ({
      date: toIsoDate(date),
      reachable,
      permits_left: permitsLeft,
      going_dark: goingDark,
      ...expectedOn(position, reachable, outcomes),
    })),
  }
}

const NOT_KNOWN = { expected: null, expected_low: null, expected_high: null }

function expectedOn(
  position: number | null,
  reachable: number,
  outcomes: Map<number, store.Outcome[]>,
): Expected | typeof NOT_KNOWN {
  if (outcomes.size === 0) return NOT_KNOWN
  // On a day without reminders nobody is reminded. After today's firing, those who are still reachable are left over.
  if (position === null || position === 0)
    return { expected: reachable, expected_low: reachable, expected_high: reachable }
  return expectedOf(reachable, outcomes.get(position) ?? []) ?? NOT_KNOWN
}

/** What became of the forecasts for the last days. */
function recentOutcomes(db: Knex, account: ForecastAccount, now: number): Promise<store.Outcome[]> {
  const today = businessDate(now, account.timezone)
  const first = addDays(today, -HISTORY_DAYS)
  return store.findOutcomes(db, account.appId, {
    madeFrom: addDays(first, -KEPT_DAYS),
    first,
    last: today,
  })
}
