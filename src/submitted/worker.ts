import type { Account } from '../account.js'
import { MINUTE_MS, SECOND_MS } from '../lib/durations.js'
import { oneAtATime } from '../lib/one-at-a-time.js'
import { deliverAll } from '../messages/deliver.js'
import type { DeliverDeps } from '../messages/delivery.js'
import { addTallies, emptyTally, type Tally } from '../messages/tally.js'
import { createDeadlines } from '../messages/window.js'
import type { PlatformDeps } from '../platform/kept.js'
import type { Reason } from '../runs/reason.js'
import { createSubmittedBrake } from './brake.js'
import { findWork } from './due-store.js'
import { createHolds } from './holds.js'
import { createSubmittedSource } from './source.js'
import { createSpentQuota, SPENT_QUOTA_MS } from './spent-quota.js'
import { tidyUp } from './tidy-up.js'

/** Sends the submitted messages of one account: soon after they came, when their time comes, and again. */
export interface SubmittedWorker {
  /** Signals that there is something new. Returns at once. */
  wake(): void
  /** Sends what is due now. Never runs twice at the same time. */
  workDue(): Promise<Tally>
  /** Starts no more requests, and resolves when those under way are settled. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * How long nothing is tried after a pause. A message goes out alone then, so this is also what an outage of hours costs:
 * one attempt a minute.
 */
const PAUSE_MS = { outage: 15 * SECOND_MS, token: MINUTE_MS, quota: SPENT_QUOTA_MS }
const LONGEST_OUTAGE_PAUSE_MS = MINUTE_MS
/** Where an attempt that is not answered cannot be repeated, each costs a message. */
const LONGEST_DOUBT_PAUSE_MS = 10 * MINUTE_MS
const STILL_AWAY: Reason = {
  en: 'WeChat is still not accepting messages',
  zh: '微信仍不接收消息',
  cause: 'outage',
}

export function createSubmittedWorker(deps: DeliverDeps & PlatformDeps, account: Account): SubmittedWorker {
  const { db, log, now } = deps
  const { appId } = account
  const stopped = new AbortController()
  const holds = createHolds()
  const spentQuota = createSpentQuota(deps, account)
  const closesAt = createDeadlines(account)
  const passes = oneAtATime(pass, {
    isStopped: () => stopped.signal.aborted,
    onFailure: (error) =>
      log.warn({ event: 'messages.failed', app_id: appId, err: error }, 'the next tick tries again'),
  })
  let pausedUntil = 0
  let pauses = 0
  let outages = 0

  async function pass(): Promise<Tally> {
    if (stopped.signal.aborted) return emptyTally()
    const work = await findWork(db, appId, now())
    if (now() < pausedUntil || !(work.due || work.lapsed)) return tidyUp(deps, account, work)
    const brake = createSubmittedBrake(holds, now, outages)
    const isProbe = pauses > 0
    const { signal } = stopped
    const source = createSubmittedSource(deps, account, brake, { isProbe, spentQuota, signal })
    const sent = await deliverAll(deps, source, { kind: 'api', brake, closesAt, signal })
    outages = brake.outages
    const longest = sent.unknown > 0 ? LONGEST_DOUBT_PAUSE_MS : LONGEST_OUTAGE_PAUSE_MS
    if (brake.halt?.reason.cause === 'quota') await spentQuota.refused(signal)
    if (brake.halt) rest(brake.halt.reason, longest)
    else if (brake.answered) pauses = 0
    else if (isProbe && sent.retry + sent.unknown > 0) rest(STILL_AWAY, longest)
    return addTallies(sent, source.settledAtOnce)
  }

  function rest({ cause, en }: Reason, longest: number): void {
    const ms =
      cause === 'token' || cause === 'quota'
        ? PAUSE_MS[cause]
        : Math.min(longest, PAUSE_MS.outage * 2 ** pauses)
    pauses++
    pausedUntil = now() + ms
    log.warn({ event: 'messages.paused', app_id: appId, cause, reason: en, for_ms: ms })
  }

  return {
    wake: passes.wake,
    workDue: passes.workDue,
    stop() {
      stopped.abort()
      return passes.ended()
    },
  }
}

/** Sends what is due now, once, for a command. */
export async function sendSubmitted(
  deps: DeliverDeps & PlatformDeps,
  account: Account,
  signal: AbortSignal,
): Promise<Tally> {
  const worker = createSubmittedWorker(deps, account)
  const stop = (): void => void worker.stop()
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  return worker.workDue().finally(() => signal.removeEventListener('abort', stop))
}
