import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { SECOND_MS } from '../lib/durations.js'
import { isoTime } from '../lib/iso-time.js'
import { windowEnd } from '../messages/window.js'
import type { RunStatus } from './status-schemas.js'
import * as store from './status-store.js'

/** The earliest at which an end is foretold: what the first seconds show says little. */
const MIN_SHARE = 0.01
const MIN_ELAPSED_MS = 5 * SECOND_MS

type Forecast = Pick<RunStatus, 'progress' | 'rate_per_second' | 'expected_finish_at' | 'expected_end'>
type Counts = Pick<
  RunStatus,
  'delivered' | 'failed' | 'unknown' | 'in_hand' | 'retrying' | 'planned' | 'quota'
>

export const NO_FORECAST: Forecast = {
  progress: null,
  rate_per_second: null,
  expected_finish_at: null,
  expected_end: null,
}

/**
 * When and by what a running run will end: by the share of users that it has read in its time, not before SEND_RATE lets
 * the planned ones go out, and no later than its quota and its window last.
 */
export async function foretellEnd(
  db: Knex,
  account: Account,
  run: store.RunRow,
  counts: Counts,
  now: number,
): Promise<Forecast> {
  if (run.state !== 'running') return NO_FORECAST
  const share = await store.findShareRead(db, account.appId, run.id)
  const elapsed = now - run.started_at
  const ended = counts.delivered + counts.failed + counts.unknown
  const since = ended - run.settled_before
  // While it waits for WeChat, its ranges stand at their beginnings.
  const canTell =
    run.reason === null && share !== undefined && share >= MIN_SHARE && elapsed >= MIN_ELAPSED_MS
  // Once all are read, what is claimed is all that is left; before that, the plan says what is.
  const rest = share === 1 ? counts.in_hand + counts.retrying : Math.max(0, (counts.planned ?? 0) - ended)
  const end = canTell
    ? endOf({
        now,
        elapsed,
        share,
        since,
        rest,
        quotaLeft: counts.quota?.left,
        sendRate: account.sendRate,
        closesAt: windowEnd(account, run.slot),
      })
    : undefined
  return {
    progress: share === undefined ? null : Math.round(share * 1_000) / 1_000,
    rate_per_second: elapsed >= SECOND_MS ? Math.round((since * 10 * SECOND_MS) / elapsed) / 10 : null,
    expected_finish_at: isoTime(end?.at),
    expected_end: end?.by ?? null,
  }
}

/** How far a run has come. Times and lengths of time in ms. */
export interface Seen {
  now: number
  /** Since its start. */
  elapsed: number
  /** Of the users it has read. */
  share: number
  /** Messages that ended since its start. */
  since: number
  /** Messages still to go out; 0 if that is not known. */
  rest: number
  quotaLeft: number | undefined
  /** Messages a second. */
  sendRate: number | undefined
  closesAt: number
}

/** When a run ends if it goes on as it did, and by what. */
export function endOf({ now, elapsed, share, since, rest, quotaLeft, sendRate, closesAt }: Seen): {
  at: number
  by: NonNullable<Forecast['expected_end']>
} {
  const byRate = sendRate === undefined ? 0 : (rest * SECOND_MS) / sendRate
  const done = now + Math.max((elapsed * (1 - share)) / share, byRate)
  const perMs = since / elapsed
  const runsOut =
    quotaLeft !== undefined && rest > quotaLeft && perMs > 0 ? now + quotaLeft / perMs : undefined
  const at = Math.round(Math.min(runsOut ?? done, closesAt))
  if (at === closesAt) return { at, by: 'window_closed' }
  return { at, by: runsOut === undefined ? 'done' : 'quota' }
}
