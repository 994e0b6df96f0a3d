import type { Account } from '../account.js'
import type { Logger } from '../lib/logger.js'
import { askQuota } from '../messages/ask-quota.js'
import type { PlatformDeps } from '../platform/kept.js'

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
  const about = { app_id: account.appId, run_id: run.id }
  const isFresh = (kept: { asked_for: string }): boolean => kept.asked_for === askedFor
  const told = await askQuota(deps, account, { askedFor, isFresh, date: run.slot, about }, signal)
  if (!told) return
  const planned = told.planned - told.ended
  const { remain } = told.reading
  if (planned <= remain) return
  deps.log.warn(
    { event: 'quota.short', ...about, remain, planned },
    'the quota of sends is smaller than the run: it will pause when WeChat refuses (45009)',
  )
}
