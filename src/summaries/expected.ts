import type { Outcome } from './forecast-store.js'

/**
 * What usually becomes of a forecast. `reachable` says what would be if no permit arrived and nobody signed in; what
 * arriving permits add and sign-ins take away is seen in the past: how many more (or fewer) users were reminded on a
 * day than a forecast of as many firings before had said. The median of these differences is added to today's number;
 * the band holds four in five of them. So it needs no assumption about who uploads, and it can be checked against the
 * days that followed.
 */
export interface Expected {
  expected: number
  expected_low: number
  expected_high: number
}

/** From fewer days nothing is concluded. */
const MIN_DAYS = 3
/** The days whose forecasts count. */
export const HISTORY_DAYS = 14
const LOW = 0.1
const HIGH = 0.9

/** What is to be expected where so many are reachable, by the outcomes of forecasts of the same distance. */
export function expectedOf(reachable: number, outcomes: Outcome[]): Expected | undefined {
  if (outcomes.length < MIN_DAYS) return undefined
  const changes = outcomes.map((one) => one.reminded - one.reachable).sort((a, b) => a - b)
  const at = (share: number): number => Math.max(0, Math.round(reachable + quantile(changes, share)))
  return { expected: at(0.5), expected_low: at(LOW), expected_high: at(HIGH) }
}

/** The quantile of ascending values, between two of them in proportion. */
export function quantile(sorted: number[], share: number): number {
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)] ?? 0
  const above = sorted[Math.ceil(place)] ?? 0
  return below + (above - below) * (place - Math.floor(place))
}
