import type { Knex } from 'knex'
import { MAX_LIST } from '../db/sql.js'
import { DAY_MS } from '../lib/durations.js'
import type { Logger } from '../lib/logger.js'
import type { Trigger } from '../runs/run.js'
import { endingOfWork, runOccurrence } from '../runs/run-occurrence.js'
import { findProgress, recordSweep, type SweepCount, type SweepProgress } from '../runs/sweep-progress.js'
import { createRangeSweep } from './range-sweep.js'

export const EXPIRE = 'expire'
const LIMITS = {
  /**
   * Rows that one statement examines, in some ms, or in a second from a cold disk. Most may have been settled
   * long ago.
   */
  examined: 2 * MAX_LIST,
  /**
   * Steps of one scheduled sweep through the rows far below its mark: two million rows, so that fresh ones
   * never wait long.
   */
  passSteps: 1_000,
}

export interface Sweep {
  appId: string
  /** Moment of the firing: the key of the occurrence. */
  slot: number
  triggeredBy: Trigger
}

/**
 * Sets unspent permits that ran out to 2 and counts their users down, chunk by chunk, each in its own
 * transaction. Returns undefined if another process has this firing. A sweep that is cut short leaves whole
 * chunks behind; the next one goes on from there.
 *
 * Settled rows stay in the index, so a sweep starts where the last one ended, and a day earlier for permits
 * that were given back in between. Rows written by hand below that mark are found by a pass through all of
 * them: it begins once a day and goes on for a while after each sweep, two million rows at a time. A sweep by
 * hand does the whole pass at once.
 */
export async function expireStale(
  deps: { db: Knex; log: Logger; signal: AbortSignal },
  { appId, slot, triggeredBy }: Sweep,
  now: number,
  onProgress: (expired: number) => void = () => {},
  limits = LIMITS,
): Promise<SweepCount | undefined> {
  const { db, log, signal } = deps
  const entered = await runOccurrence(
    deps,
    { job: EXPIRE, appId, slot },
    { triggeredBy, now: () => now, ifItFails: 'halt' },
    async ({ id }) => {
      const last = await findProgress(db, appId)
      const from = Math.max(0, (last?.sweptTo ?? 0) - DAY_MS)
      const progress = { from, sweptTo: last?.sweptTo ?? 0, ...passOf(last, triggeredBy, now) }
      const done: SweepCount = { expired: 0, users: 0 }
      const record = () => recordSweep(db, id, { ...progress, ...done })
      const sweep = createRangeSweep(
        db,
        signal,
        { appId, now, examined: limits.examined },
        record,
        (chunk) => {
          done.expired += chunk.expired
          done.users += chunk.users
          onProgress(done.expired)
        },
      )
      try {
        await sweep({ from, until: now }, (expire) => {
          progress.sweptTo = Math.max(progress.sweptTo, expire)
        })
        if (progress.passAt !== null && !signal.aborted) {
          const range = { from: progress.passAt, until: from }
          const steps = triggeredBy === 'manual' ? Number.POSITIVE_INFINITY : limits.passSteps
          const isOver = await sweep(range, (expire) => (progress.passAt = expire), steps)
          if (isOver) progress.passAt = null
        }
      } finally {
        await record()
      }
      log.info(
        {
          event: 'expire.done',
          app_id: appId,
          run_id: id,
          ...done,
          from,
          to: progress.sweptTo,
          pass_at: progress.passAt,
        },
        'stale permits expired',
      )
      return { ending: endingOfWork(signal), result: done }
    },
  )
  return entered?.result
}

/**
 * The pass through all older rows that this sweep takes part in. The first sweep of an account is itself such
 * a pass.
 */
function passOf(
  last: SweepProgress | undefined,
  triggeredBy: Trigger,
  now: number,
): Pick<SweepProgress, 'passStartedAt' | 'passAt'> {
  if (!last) return { passStartedAt: now, passAt: null }
  const { passStartedAt, passAt } = last
  const isDue = triggeredBy === 'manual' || (passAt === null && now - passStartedAt >= DAY_MS)
  return isDue ? { passStartedAt: now, passAt: 0 } : { passStartedAt, passAt }
}
