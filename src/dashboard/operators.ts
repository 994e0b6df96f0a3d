import type { Account } from '../account.js'
import type { Config } from '../config/read.js'
import type { Base, Sending } from '../deps.js'
import type { Finding } from '../findings/finding.js'
import { businessDate } from '../lib/business-date.js'
import { examine } from '../operations/doctor.js'
import { retryFailed } from '../reminders/retry.js'
import { runReminders } from '../reminders/run.js'
import { pendingMigrations } from '../schema.js'
import { createBackground } from './background.js'
import type { Operators } from './deps.js'
import { createOperatorRuns, type RunWish } from './operator-runs.js'

interface Parts {
  base: Base
  sending: Sending
  config: Config
  account: Account
  assertClock(): Promise<void>
  /** Called when messages have been queued again. */
  onQueued(): void
}

/** What operators may do in this process; undefined without ADMIN_PASSWORD. */
export function openOperators(parts: Parts): Operators | undefined {
  const { base, sending, config, assertClock, onQueued } = parts
  if (config.adminPassword === undefined) return undefined
  const { log } = base
  const { appId } = parts.account
  const runs = createOperatorRuns({
    run: (wish, signal) => runNow(parts, wish, signal),
    assertClock,
    appId,
    log,
  })
  const requeues = createBackground((err) =>
    log.error(
      { event: 'dashboard.requeue_failed', app_id: appId, err },
      'queueing dead letters again failed',
    ),
  )
  return {
    runs,
    requeues,
    onQueued,
    examine: () => examineAll(parts),
    view: () => ({
      tokenCounters: sending.tokenCounters(),
      redis: { isSet: config.redisUrl !== undefined, sendRate: parts.account.sendRate },
    }),
    async stop() {
      await Promise.all([runs.stop(), requeues.stop()])
    },
  }
}

/** Today's run, through the function that the schedule uses; before it, what is to be tried once more is withdrawn. */
async function runNow({ base, sending, account }: Parts, wish: RunWish, signal: AbortSignal): Promise<void> {
  const { db, now } = base
  const { limit, retry } = wish
  if (retry) await retryFailed(db, account, retry, now(), signal)
  await runReminders(sending, account, {
    date: businessDate(now(), account.timezone),
    triggeredBy: 'manual',
    signal,
    ...(limit === undefined ? {} : { limit }),
  })
}

/** As the command `doctor` does. By the machine's clock: that of a demo is no fault. */
async function examineAll({ base, sending, config, account }: Parts): Promise<Finding[]> {
  const { redisUrl: url } = config
  const { findCallbackTarget } = await import('../operations/callback-target.js')
  return examine({
    db: base.db,
    pendingMigrations,
    account,
    systemNow: Date.now,
    getToken: sending.getToken,
    checkSecret: sending.checkSecret,
    tokenCounters: sending.tokenCounters,
    auxiliary: sending.auxiliary,
    callback: await findCallbackTarget(base, config, account),
    ...(url === undefined ? {} : { redis: { url, sendRate: account.sendRate } }),
  })
}
