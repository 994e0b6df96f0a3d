import type { Knex } from 'knex'
import { MINUTE_MS } from '../lib/durations.js'
import { defineJob, EVERY_MINUTE, type Job } from '../schedule/job.js'
import type { ForecastAccount } from './compute.js'
import { findLastEnd } from './day-store.js'
import { isCountDue } from './granted.js'
import { findLargestId } from './granted-store.js'
import { findProgress, type SummaryProgress } from './lease-store.js'
import { SUMMARIZE, type SummarizeDeps, summarize } from './summarize.js'

const WHOLE_EVERY_MS = 10 * MINUTE_MS
/** A whole summary of a very large account takes longer: it is then at rest for twice that time. */
const REST_SHARE = 2

/**
 * Keeps the summaries: new permits each minute if there are any, everything each ten minutes and after a run of
 * reminders has ended. Of several processes one does it; the others find nothing due, or its lease.
 */
export function summarizeJob(deps: Omit<SummarizeDeps, 'signal'>, account: ForecastAccount): Job {
  const { db, now } = deps
  return defineJob({
    name: SUMMARIZE,
    ticks: [EVERY_MINUTE],
    findDue: () => findDue(db, account.appId, now()),
    async run({ isWhole }, signal) {
      await summarize({ ...deps, signal }, account, { isWhole })
    },
  })
}

async function findDue(db: Knex, appId: string, now: number): Promise<{ isWhole: boolean } | undefined> {
  const progress = await findProgress(db, appId)
  if (!progress || (await isWholeDue(db, appId, progress, now))) return { isWhole: true }
  return isCountDue(progress, await findLargestId(db), now) ? { isWhole: false } : undefined
}

async function isWholeDue(
  db: Knex,
  appId: string,
  { began_at, ended_at }: SummaryProgress,
  now: number,
): Promise<boolean> {
  const pause = Math.max(WHOLE_EVERY_MS, REST_SHARE * (ended_at - began_at))
  // A clock that was set back would hold the summaries up until it is there again.
  if (now - ended_at >= pause || now < began_at) return true
  return (await findLastEnd(db, appId)) > began_at
}
