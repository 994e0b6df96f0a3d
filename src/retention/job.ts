import type { Knex } from 'knex'
import { businessDate, timeOn } from '../lib/business-date.js'
import type { Logger } from '../lib/logger.js'
import { defineJob, EVERY_MINUTE, type Job } from '../schedule/job.js'
import { PURGE, purgeOld, type Retention } from './purge.js'

/** The quietest hour of a day. */
export const PURGE_HOUR = 4

/** The purge, once a day. While another process has it, or after it failed, it is tried again each minute. */
export function purgeJob(deps: { db: Knex; log: Logger; now(): number }, retention: Retention): Job {
  const { db, log, now } = deps
  let purgedOn: number | undefined
  return defineJob({
    name: PURGE,
    ticks: [EVERY_MINUTE],
    async findDue() {
      const date = businessDate(now(), retention.timezone)
      return date === purgedOn || now() < timeOn(date, PURGE_HOUR, 0, retention.timezone) ? undefined : date
    },
    async run(date, signal) {
      if (await purgeOld({ db, log, signal }, retention, now())) purgedOn = date
    },
  })
}
