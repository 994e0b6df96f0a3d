import type { Account } from '../account.js'
import type { Logger } from '../lib/logger.js'
import { findRunOfDay } from '../messages/quota-store.js'
import type { PlatformDeps } from '../platform/kept.js'
import { askSendQuota, type QuotaReading } from '../platform/quota.js'

type Deps = PlatformDeps & { log: Logger }

/** A start of a run. */
interface Started {
  id: number
  slot: number
  started_at: number
}

/**
 * Asks WeChat for the quota of the send path, once for each start of a run, and says so if the run will not fit into what
 * is left. The run goes on whatever comes of it: at the end of the quota WeChat itself stops it. Never throws.
 */
export function askBeforeRun(deps: Deps, account: Account, run: Started, signal: AbortSignal): Promise<void> {
  return ask(deps, account, run, `run-${run.id}-${run.started_at}`, signal)
}

/** Asks once more when WeChat has said that the quota is used up (45009). */
export function askAfterSpent(
  deps: Deps,
  account: Account,
  run: Started,
  signal: AbortSignal,
): Promise<void> {
  return ask(deps, account, run, `spent-${run.id}-${run.started_at}`, signal)
}

async function ask(
  deps: Deps,
  account: Account,
  run: Started,
  askedFor: string,
  signal: AbortSignal,
): Promise<void> {
  const { db, log } = deps
  const about = { app_id: account.appId, run_id: run.id }
  const isFresh = (kept: { asked_for: string }): boolean => kept.asked_for === askedFor
  try {
    const { planned = null, ended = 0 } = (await findRunOfDay(db, account.appId, run.slot)) ?? {}
    const { reading, failure, isNew } = await askSendQuota(
      deps,
      account,
      { askedFor, isFresh, ended },
      signal,
    )
    if (!isNew) return
    if (failure !== null) {
      log.info({ event: 'quota.not_had', ...about, why: failure }, 'WeChat did not tell the quota of sends')
      return
    }
    if (!reading) return
    const { path, dailyLimit, used, remain } = reading
    log.info({ event: 'quota.asked', ...about, path, daily_limit: dailyLimit, used, remain })
    warnIfShort(log, about, reading, (planned ?? 0) - ended)
  } catch (error) {
    log.warn({ event: 'quota.failed', ...about, err: error }, 'the run goes on without the quota of sends')
  }
}

function warnIfShort(log: Logger, about: object, { remain }: QuotaReading, planned: number): void {
  if (planned <= remain) return
  log.warn(
    { event: 'quota.short', ...about, remain, planned },
    'the quota of sends is smaller than the run: it will pause when WeChat refuses (45009)',
  )
}
