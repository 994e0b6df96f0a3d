import type { Account } from '../account.js'
import { businessDate } from '../lib/business-date.js'
import { MINUTE_MS } from '../lib/durations.js'
import type { Logger } from '../lib/logger.js'
import { askQuota } from '../messages/ask-quota.js'
import { quotaLeft } from '../messages/quota.js'
import type { PlatformDeps } from '../platform/kept.js'
import type { KeptRow } from '../platform/store.js'

/** Somebody may reset a quota in WeChat's console: it is not asked for more often than an attempt would be made. */
export const SPENT_QUOTA_MS = 10 * MINUTE_MS

/** What submitted messages do about a quota that is used up. */
export interface SpentQuota {
  /** Asks WeChat for the quota, since it has refused a message for it (45009): the rest of the queue need not try. */
  refused(signal: AbortSignal): Promise<void>
  /**
   * Whether there may be calls again, while by what is known nothing is left of the day's quota. Asks WeChat at most once
   * in ten minutes, over all processes: what is known would hold back everything until the next day.
   */
  mayGoOn(signal: AbortSignal): Promise<boolean>
}

export function createSpentQuota(deps: PlatformDeps & { log: Logger }, account: Account): SpentQuota {
  const { db, now } = deps
  let asked = Number.NEGATIVE_INFINITY

  const isYoung = ({ answered_at }: KeptRow): boolean =>
    answered_at !== null && now() - answered_at < SPENT_QUOTA_MS

  /** By what is known nothing is left; `young`: it was asked just now, here or by another process. */
  async function known(): Promise<'some' | 'spent' | 'spent, and young'> {
    const quota = await quotaLeft(db, account, now())
    if (quota?.left !== 0) return 'some'
    return now() - quota.askedAt < SPENT_QUOTA_MS ? 'spent, and young' : 'spent'
  }

  async function ask(isFresh: (kept: KeptRow) => boolean, signal: AbortSignal): Promise<boolean> {
    asked = now()
    const date = businessDate(asked, account.timezone)
    const about = { app_id: account.appId }
    const askedFor = `submitted-${asked}`
    return (await askQuota(deps, account, { askedFor, isFresh, date, about }, signal)) !== undefined
  }

  return {
    async refused(signal) {
      if ((await known()) !== 'spent, and young') await ask(() => false, signal)
    },
    async mayGoOn(signal) {
      if (now() - asked < SPENT_QUOTA_MS || (await known()) !== 'spent') return false
      return ask(isYoung, signal)
    },
  }
}
