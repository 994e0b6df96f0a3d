import type { Knex } from 'knex'
import { businessDate } from '../lib/business-date.js'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../lib/durations.js'
import type { Logger } from '../lib/logger.js'
import { closeRun, findRunningSince } from '../runs/occurrences.js'
import { recordPurged, reopenFailed } from '../runs/purge-progress.js'
import type { Reason } from '../runs/reason.js'
import { endingOfWork, runOccurrence } from '../runs/run-occurrence.js'
import { createDeletion, type Purged } from './deletion.js'

export const PURGE = 'purge'
/** The pause before a failed purge is retried on the same day. */
const RETRY_MS = 10 * MINUTE_MS
/** No job works on one occurrence for this long without a sign of it. */
const ABANDONED_MS = 12 * HOUR_MS

export interface Retention {
  appId: string
  timezone: string
  retentionDays: number
}

/**
 * Deletes what ended more than `retentionDays` ago, see deletion.ts. One process does it for the account once
 * a day; in the others this returns undefined.
 */
export async function purgeOld(
  deps: { db: Knex; log: Logger; signal: AbortSignal },
  { appId, timezone, retentionDays }: Retention,
  now: number,
): Promise<Purged | undefined> {
  const { db, log, signal } = deps
  const slot = businessDate(now, timezone)
  await endAbandoned(db, appId, now)
  const entered = await runOccurrence(
    deps,
    { job: PURGE, appId, slot },
    {
      triggeredBy: 'cron',
      now: () => now,
      enter: async ({ id }, opened) => opened || reopenFailed(db, id, now - RETRY_MS, now),
      ifItFails: 'halt',
    },
    async ({ id }) => {
      const before = now - retentionDays * DAY_MS
      const deletion = createDeletion(db, signal, { appId, timezone, retentionDays, before, now })
      try {
        await deletion.run()
      } finally {
        const rows = Object.values(deletion.purged).reduce((sum, ofKind) => sum + ofKind, 0)
        await recordPurged(db, id, rows)
      }
      log.info({ event: 'purge.done', app_id: appId, before, ...deletion.purged }, 'old rows deleted')
      return { ending: endingOfWork(signal), result: deletion.purged }
    },
  )
  return entered?.result
}

const ABANDONED: Reason = { en: 'its process ended', zh: '执行它的进程已退出', cause: 'abandoned' }

/** Ends occurrences of any job that a killed process has left behind: they would be `running` for ever. */
async function endAbandoned(db: Knex, appId: string, now: number): Promise<void> {
  for (const id of await findRunningSince(db, appId, now - ABANDONED_MS))
    await closeRun(db, id, { state: 'halted', reason: ABANDONED }, now)
}
