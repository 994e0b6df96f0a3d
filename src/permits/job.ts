import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { assignUnassigned } from '../books/index.js'
import { businessDate } from '../lib/business-date.js'
import { firingsOn, parseCron } from '../lib/cron.js'
import type { Logger } from '../lib/logger.js'
import { defineJob, EVERY_MINUTE, type Job } from '../schedule/job.js'
import { EXPIRE, expireStale } from './expire.js'

/**
 * The sweep of stale permits, at each firing of EXPIRE_CRON; a missed sweep is made up for on the same day.
 */
export function expireJob(
  deps: { db: Knex; log: Logger; now(): number },
  account: Account,
  assertClock: () => Promise<void>,
): Job {
  const { db, log, now } = deps
  let lastSlot: number | undefined
  return defineJob({
    name: EXPIRE,
    ticks: [account.expireCron, EVERY_MINUTE],
    async findDue() {
      const slot = latestSweepSlot(account, now())
      return slot === lastSlot ? undefined : slot
    },
    async run(slot, signal) {
      await assertClock()
      await assignUnassigned(db, account.appId, now())
      await expireStale({ db, log, signal }, { appId: account.appId, slot, triggeredBy: 'cron' }, now())
      lastSlot = slot
    },
  })
}

/** The newest firing of the sweep today, as the slot of its occurrence; undefined before the first. */
export function latestSweepSlot(account: Account, now: number): number | undefined {
  const { timezone, expireCron } = account
  const firings = firingsOn(parseCron(expireCron), businessDate(now, timezone), timezone)
  return firings.findLast((time) => time <= now)
}
