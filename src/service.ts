import type { FastifyInstance } from 'fastify'
import { type Account, secretsOf } from './account.js'
import { createAccounts } from './accounts.js'
import { buildApp } from './app.js'
import { assignUnassigned } from './books/index.js'
import { type CallbackWorker, createCallbackWorker } from './callbacks/process.js'
import type { Config } from './config/read.js'
import { openOperators } from './dashboard/operators.js'
import { databaseName } from './db/database-name.js'
import { isSqlite } from './db/sql.js'
import { openBase, openLoginClient, openSending, type Sending } from './deps.js'
import { type ApiKey, createKeyring, unboundKey } from './http/api-keys.js'
import type { ConnectionLimits } from './http/connections.js'
import { jobsOf } from './jobs.js'
import { programVersion } from './lib/version.js'
import { createMetrics } from './metrics/metrics.js'
import { createObservers } from './observers.js'
import { assertClocksAgree } from './operations/clock.js'
import { createCounterCheck } from './operations/counter-check.js'
import { type Presence, startPresence } from './operations/instances.js'
import { createIngest } from './permits/ingest.js'
import { recordMissedDays } from './reminders/due.js'
import { createSchedule } from './schedule/schedule.js'
import { assertMigrated, migrateLatest } from './schema.js'
import { openTracing } from './tracing/open.js'

export interface Service {
  /** Where it listens. */
  url: string
  app: FastifyInstance
  /** What its jobs work with. */
  sending: Sending
  callbacks: CallbackWorker
  /** Looks at once for what was missed, then keeps the schedule. */
  startSchedule(): void
  /**
   * Stops listening and claiming, finishes and settles what is under way, gives back the rest. Safe to call twice.
   */
  stop(): Promise<void>
}

/** Without a limit, half a request from a client that went away would keep a stop waiting forever. */
const FINISH_REQUESTS_MS = 10_000

/**
 * Starts the HTTP server of one account, and prepares its schedule. If a step fails, the steps before it are undone.
 */
export async function startService(
  config: Config,
  account: Account,
  options: {
    migrate: boolean
    /** Who may call; those of the config if left out. */
    keys?: readonly ApiKey[]
    now?: () => number
    finishRequestsMs?: number
    connections?: Partial<ConnectionLimits>
  },
): Promise<Service> {
  const metrics = createMetrics({ version: programVersion(), account })
  const base = openBase(config, secretsOf(account), options.now, metrics)
  const tracing = await openTracing(config.otlpEndpoint, base.instance)
  const observers = createObservers(metrics, tracing)
  const sending = observers.ofSending(openSending(base, config, account, metrics))
  const logins = openLoginClient(config, account, metrics)
  const counters = createCounterCheck(base.db, account.appId)
  metrics.watch({ ...base, tokens: sending.tokenCounters, counters: counters.findings })
  let presence: Presence | undefined
  const undo: (() => Promise<unknown>)[] = [
    () => base.close(),
    async () => presence?.end(),
    async () => tracing?.close(),
    () => sending.close(),
    () => logins.close(),
  ]
  let stopping: Promise<void> | undefined
  async function release(): Promise<void> {
    for (const step of undo.splice(0).reverse()) await step()
  }
  async function stop(): Promise<void> {
    const [stoppedAt, before] = [performance.now(), observers.givenBack()]
    base.log.info({ event: 'service.stopping' })
    await release()
    const ms = Math.round(performance.now() - stoppedAt)
    base.log.info({ event: 'service.stopped', ms, given_back: observers.givenBack() - before })
  }

  try {
    const { db, log, now } = base
    log.info({
      event: 'service.starting',
      database: databaseName(config.databaseUrl),
      host: base.instance.host,
    })
    if (options.migrate || isSqlite(db))
      await migrateLatest(db, {
        onMessage: (message) => log.info({ event: 'migrated' }, message),
        appId: account.appId,
      })
    await assertMigrated(db)
    presence = await startPresence(base, account.appId, base.instance)
    await assignUnassigned(db, account.appId, now())

    const ingest = createIngest(db, observers.onUploads)
    const callbacks = createCallbackWorker({ db, account, log, now, onWorked: observers.onEventWorked })
    // A clock that a demo or a test has set agrees with no database.
    const assertClock = async (): Promise<void> => {
      if (!options.now) await assertClocksAgree(db, now)
    }
    const operators = openOperators({ base, sending, config, account, assertClock })
    const app = await buildApp({
      ...config,
      db,
      accounts: createAccounts([account]),
      keys: createKeyring(options.keys ?? config.apiKeys.map(unboundKey)),
      assertMigrated,
      exchangeCode: (_, code) => logins.exchangeCode(code),
      ingest,
      ...(operators ? { operators } : {}),
      onCallback: callbacks.wake,
      onUserBound: (_, openId) => callbacks.userBound(openId),
      metrics,
      traceRequests: tracing?.traceRequests,
      log,
      now,
      ...(options.connections ? { connections: options.connections } : {}),
    })
    undo.push(
      () => callbacks.stop(),
      () => ingest.drain(),
      () => closeApp(app, options.finishRequestsMs ?? FINISH_REQUESTS_MS),
      async () => operators?.runs.stop(),
    )
    const url = await app.listen({ host: config.host, port: config.port })

    for (const date of await recordMissedDays(db, account, now())) {
      log.warn({ event: 'remind.missed', app_id: account.appId, date }, 'no process was running on that day')
    }
    const jobs = jobsOf(account, {
      sending,
      callbacks,
      counters,
      retentionDays: config.retentionDays,
      assertClock,
    })
    const schedule = createSchedule(jobs, account.timezone, log)
    undo.push(() => schedule.stop())
    if (account.templateId === '') {
      log.warn(
        { event: 'remind.off', app_id: account.appId },
        'REMINDER_TEMPLATE_ID is not set: nobody is reminded',
      )
    }
    log.info({ event: 'service.started', url, app_id: account.appId, timezone: account.timezone })
    return {
      url,
      app,
      sending,
      callbacks,
      startSchedule: () => schedule.start(),
      stop: () => {
        stopping ??= stop()
        return stopping
      },
    }
  } catch (error) {
    await release()
    throw error
  }
}

/** Finishes what is under way, and cuts off what takes longer than the limit. */
async function closeApp(app: FastifyInstance, limitMs: number): Promise<void> {
  const limit = setTimeout(() => app.server.closeAllConnections(), limitMs)
  await app.close().finally(() => clearTimeout(limit))
}
