import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../lib/durations.js'

/** The pauses after each attempt that failed: with them, a receiver may be away for most of a day. */
const PAUSES_MS = [
  10 * SECOND_MS,
  MINUTE_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  6 * HOUR_MS,
  12 * HOUR_MS,
]

/** The receiver says that it wants no more of this. */
const GONE = 410

/** How long to wait after this many attempts; undefined = there is no further one. */
export function pauseAfter(attempts: number, status: number | undefined): number | undefined {
  return status === GONE ? undefined : PAUSES_MS[attempts - 1]
}
