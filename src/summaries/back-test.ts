import type { Knex } from 'knex'
import { addDays, businessDate, toIsoDate } from '../lib/business-date.js'
import { groupBy } from '../lib/group-by.js'
import type { ForecastAccount } from './compute.js'
import { expectedOf, HISTORY_DAYS } from './expected.js'
import { KEPT_DAYS } from './forecast.js'
import { findOutcomes, type Outcome } from './forecast-store.js'

/** How good the forecasts of one distance were. */
export interface BackTestRow {
  /** How many firings ahead. */
  firings_ahead: number
  /** Days that were foretold and have since been run to the end. */
  days: number
  /** Mean of |expected - reminded| / reminded, in per cent, 0 to 100 and more. */
  error_percent: number
  /** The same of the bare `reachable`, which knows neither new permits nor sign-ins. */
  reachable_error_percent: number
  /** How many of the days fell within the band, in per cent: 80 is what it promises. */
  within_band_percent: number
}

export interface BackTest {
  /** Oldest and newest day tested; null without history. */
  from: string | null
  to: string | null
  rows: BackTestRow[]
}

/** Beyond this, old days say nothing about today's rates; and it is what RETENTION_DAYS keeps by default. */
const MAX_DAYS_BACK = 90

/**
 * Forecasts the past again: for each day that was run to its end, what would have been expected when the forecast was
 * made, from what was known then, against the users who were reminded.
 */
export async function backTest(db: Knex, account: ForecastAccount, now: number): Promise<BackTest> {
  const today = businessDate(now, account.timezone)
  const first = addDays(today, -MAX_DAYS_BACK)
  const outcomes = await findOutcomes(db, account.appId, {
    madeFrom: addDays(first, -KEPT_DAYS),
    first,
    last: today,
  })
  const tested = outcomes.flatMap((one) => judge(one, outcomes))
  const rows = [...groupBy(tested, ({ position }) => position)]
    .sort(([a], [b]) => a - b)
    .map(([position, ofPosition]) => rowOf(position, ofPosition))
  const days = tested.map(({ day }) => day)
  return {
    from: days.length === 0 ? null : toIsoDate(Math.min(...days)),
    to: days.length === 0 ? null : toIsoDate(Math.max(...days)),
    rows,
  }
}

interface Judged {
  position: number
  day: number
  error: number
  reachableError: number
  isWithin: boolean
}

/** Nothing where too little was known then, or where nobody was reminded: there is no share of nothing. */
function judge(one: Outcome, all: Outcome[]): Judged[] {
  const knownThen = all.filter(
    ({ position, day }) =>
      position === one.position && day <= one.made_on && day >= addDays(one.made_on, -HISTORY_DAYS),
  )
  const guess = expectedOf(one.reachable, knownThen)
  if (!guess || one.reminded === 0) return []
  return [
    {
      position: one.position,
      day: one.day,
      error: Math.abs(guess.expected - one.reminded) / one.reminded,
      reachableError: Math.abs(one.reachable - one.reminded) / one.reminded,
      isWithin: one.reminded >= guess.expected_low && one.reminded <= guess.expected_high,
    },
  ]
}

function rowOf(position: number, judged: Judged[]): BackTestRow {
  const percent = (of: (one: Judged) => number): number =>
    Math.round((judged.reduce((sum, one) => sum + of(one), 0) / judged.length) * 1_000) / 10
  return {
    firings_ahead: position,
    days: new Set(judged.map(({ day }) => day)).size,
    error_percent: percent(({ error }) => error),
    reachable_error_percent: percent(({ reachableError }) => reachableError),
    within_band_percent: percent(({ isWithin }) => (isWithin ? 1 : 0)),
  }
}
