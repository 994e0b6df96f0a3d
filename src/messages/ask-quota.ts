import type { Account } from '../account.js'
import type { Logger } from '../lib/logger.js'
import type { PlatformDeps } from '../platform/kept.js'
import { askSendQuota, type QuotaReading } from '../platform/quota.js'
import type { KeptRow } from '../platform/store.js'
import { findRunOfDay } from './quota-store.js'

export interface QuotaQuestion {
  askedFor: string
  /** Whether what is kept will do. */
  isFresh(kept: KeptRow): boolean
  /** The business day whose reminders count. */
  date: number
  /** For the log. */
  about: object
}

/** A reading of now, and the reminders of the day that it is for. */
export interface NewReading {
  reading: QuotaReading
  planned: number
  ended: number
}

/**
 * Asks WeChat for the quota of the account's send path, unless what is kept will do, and logs the answer. undefined
 * without a new one: nothing depends on it, for at the end of the quota WeChat itself refuses. Never throws.
 */
export async function askQuota(
  deps: PlatformDeps & { log: Logger },
  account: Account,
  { askedFor, isFresh, date, about }: QuotaQuestion,
  signal: AbortSignal,
): Promise<NewReading | undefined> {
  const { db, log } = deps
  try {
    const { planned, ended = 0 } = (await findRunOfDay(db, account.appId, date)) ?? {}
    const wish = { askedFor, isFresh, ended }
    const { reading, failure, isNew } = await askSendQuota(deps, account, wish, signal)
    if (!isNew) return undefined
    if (failure !== null)
      log.info({ event: 'quota.not_had', ...about, why: failure }, 'WeChat did not tell the quota of sends')
    if (failure !== null || !reading) return undefined
    const { path, dailyLimit, used, remain } = reading
    log.info({ event: 'quota.asked', ...about, path, daily_limit: dailyLimit, used, remain })
    return { reading, planned: planned ?? 0, ended }
  } catch (error) {
    log.warn({ event: 'quota.failed', ...about, err: error }, 'sending goes on without the quota of sends')
    return undefined
  }
}
