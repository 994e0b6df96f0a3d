import { type Account, secretsOf } from './account.js'
import type { AccountParts } from './app.js'
import { createCallbackWorker } from './callbacks/process.js'
import type { Config } from './config/read.js'
import { openOperators } from './dashboard/operators.js'
import type { DatabaseShares } from './db/share.js'
import { openLoginClient, openSending, type Sending, type ServiceBase } from './deps.js'
import { jobsOf } from './jobs.js'
import { logOf } from './lib/logger.js'
import type { AccountMetrics, Metrics } from './metrics/metrics.js'
import { createObservers } from './observers.js'
import { createCounterCheck } from './operations/counter-check.js'
import { createIngest } from './permits/ingest.js'
import { recordMissedDays } from './reminders/due.js'
import { createSchedule } from './schedule/schedule.js'
import { createIntake } from './submitted/intake.js'
import { createSubmittedWorker, type SubmittedWorker } from './submitted/worker.js'
import type { Tracing } from './tracing/tracing.js'
import { openAllFollowers } from './users/followers.js'
import { setWebhook } from './webhooks/store.js'
import { createWebhookWorker, type WebhookWorker } from './webhooks/worker.js'

/**
 * All that works for one account in this process. Accounts share the server and the database's pool, of which each has
 * its part; nothing else.
 */
export interface AccountService {
  readonly account: Account
  /** What routes ask of it. */
  readonly parts: AccountParts
  /** What its jobs work with. */
  readonly sending: Sending
  /** Sends the messages of backends. */
  readonly submitted: SubmittedWorker
  /** Processes the events that are due, and returns how many ended. */
  workEvents(): Promise<number>
  /** How many messages were given back so far. */
  givenBack(): number
  /** Looks at once for what was missed, then keeps the schedule. */
  startSchedule(): void
  /** Starts no more runs, and finishes or gives back what is under way. Safe to call twice. */
  stopWork(): Promise<void>
  /** Ends everything, the work first. Safe to call twice. */
  close(): Promise<void>
}

export interface AccountServiceDeps {
  config: Config
  base: ServiceBase
  metrics: Metrics
  tracing: Tracing | undefined
  /** Of the database, one for each account. */
  shares: DatabaseShares
  /** Throws if our clock and the database's disagree. */
  assertClock(): Promise<void>
}

/** Opens what works for an account, and records the days that it missed. Sends nothing before its schedule starts. */
export async function openAccountService(
  { config, base: shared, metrics, tracing, shares, assertClock }: AccountServiceDeps,
  account: Account,
): Promise<AccountService> {
  const { appId } = account
  const base = { ...shared, db: shares.open(), log: logOf(shared.log, appId) }
  const { db, log, now } = base
  base.hideSecrets(secretsOf(account))
  await openAllFollowers(db, account, now())
  await setWebhook(db, appId, account.webhook !== undefined, now())
  for (const date of await recordMissedDays(db, account, now()))
    log.warn({ event: 'remind.missed', app_id: appId, date }, 'no process was running on that day')
  if (account.templateId === '')
    log.warn({ event: 'remind.off', app_id: appId }, 'no template is set: nobody is reminded')

  const told = metrics.of(account)
  const observers = createObservers(told, tracing)
  const sending = observers.ofSending(openSending(base, config, account, told))
  const logins = openLoginClient(config, account, told)
  const counters = createCounterCheck(db, appId)
  // Plain reads, which wait for nobody: a scrape tells of all accounts, whatever one of them waits for.
  told.watch({ db: shared.db, now, tokens: sending.tokenCounters, counters: counters.findings })
  const ingest = createIngest(db, observers.onUploads)
  const intake = createIntake(db, account)
  const callbacks = createCallbackWorker({ db, account, log, now, onWorked: observers.onEventWorked })
  const submitted = createSubmittedWorker(sending, account)
  const webhooks = openWebhooks(base, account, told)
  const operators = openOperators({
    base,
    sending,
    config,
    account,
    assertClock,
    onQueued: submitted.wake,
  })
  const { retentionDays } = config
  const jobs = jobsOf(account, {
    sending,
    callbacks,
    submitted,
    webhooks,
    counters,
    retentionDays,
    assertClock,
  })
  const schedule = createSchedule(jobs, account, log)
  let closing: Promise<void> | undefined

  async function stopWork(): Promise<void> {
    await Promise.all([schedule.stop(), submitted.stop(), webhooks?.stop(), operators?.stop()])
  }

  async function close(): Promise<void> {
    await stopWork()
    await Promise.all([ingest.drain(), intake.drain()])
    await callbacks.stop()
    await Promise.all([logins.close(), sending.close()])
  }

  return {
    account,
    parts: {
      db,
      ingest: told.uploads.countUploads(ingest),
      intake,
      exchangeCode: logins.exchangeCode,
      onSubscriptions: told.uploads.onSubscriptions,
      onEvents(events) {
        told.events.onStored(events)
        callbacks.wake()
      },
      onSubmitted: submitted.wake,
      onUserBound: callbacks.userBound,
      operators,
    },
    sending,
    workEvents: callbacks.workDue,
    submitted,
    givenBack: observers.givenBack,
    startSchedule: () => schedule.start(),
    stopWork,
    close() {
      closing ??= close()
      return closing
    },
  }
}

function openWebhooks(
  { db, log, now }: ServiceBase,
  { appId, webhook }: Account,
  { onWebhook }: AccountMetrics,
): WebhookWorker | undefined {
  return webhook && createWebhookWorker({ db, appId, webhook, log, now, onAttempt: onWebhook })
}
