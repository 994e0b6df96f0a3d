import type { FastifyInstance } from 'fastify'
import { type Account, secretsOf } from './account.js'
import type { AccountService } from './account-service.js'
import { openAccountServices } from './account-services.js'
import { buildApp } from './app.js'
import { assignUnassigned } from './books/index.js'
import type { Config } from './config/read.js'
import { databaseName } from './db/database-name.js'
import { isSqlite } from './db/sql.js'
import { type Base, openBase } from './deps.js'
import { type ApiKey, createKeyring, unboundKey } from './http/api-keys.js'
import type { ConnectionLimits } from './http/connections.js'
import type { Logger } from './lib/logger.js'
import { programVersion } from './lib/version.js'
import { createMetrics } from './metrics/metrics.js'
import { assertClocksAgree } from './operations/clock.js'
import { startPresence } from './operations/instances.js'
import { assertMigrated, migrateLatest } from './schema.js'
import { openTracing } from './tracing/open.js'

export interface Service {
  /** Where it listens. */
  url: string
  app: FastifyInstance
  /** What works for an account; for the only one if none is named. */
  of(appId?: string): AccountService
  /** Looks at once for what was missed, then keeps the schedule of each account. */
  startSchedule(): void
  log: Logger
  /** From now on serves these accounts, and these keys; accounts that are as before do not notice. Never rejects. */
  change(served: Served): Promise<void>
  /**
   * Stops listening and claiming, finishes and settles what is under way, gives back the rest. Safe to call twice.
   */
  stop(): Promise<void>
}

/** What may change while a service runs. */
export interface Served {
  accounts: readonly Account[]
  /** Who may call; those of the config if left out. */
  keys?: readonly ApiKey[]
}

export interface ServiceOptions {
  migrate: boolean
  now?: () => number
  finishRequestsMs?: number
  connections?: Partial<ConnectionLimits>
}

/** Without a limit, half a request from a client that went away would keep a stop waiting forever. */
const FINISH_REQUESTS_MS = 10_000

/**
 * Starts the HTTP server of all accounts, and prepares their schedules. If a step fails, the steps before it are undone.
 */
export async function startService(
  config: Config,
  { accounts, keys: given }: Served,
  options: ServiceOptions,
): Promise<Service> {
  const metrics = createMetrics({ version: programVersion() })
  const base = openBase(config, accounts.flatMap(secretsOf), options.now, metrics.onStatement)
  const tracing = await openTracing(config.otlpEndpoint, base.instance)
  const { db, log, now } = base
  const undo: (() => Promise<unknown>)[] = [() => base.close(), async () => tracing?.close()]
  let stopping: Promise<void> | undefined

  async function release(): Promise<void> {
    for (const step of undo.splice(0).reverse()) await step()
  }

  // A clock that a demo or a test has set agrees with no database.
  async function assertClock(): Promise<void> {
    if (!options.now) await assertClocksAgree(db, now)
  }

  try {
    log.info({
      event: 'service.starting',
      database: databaseName(config.databaseUrl),
      host: base.instance.host,
    })
    await prepareDatabase(base, accounts, options.migrate)
    const services = await openAccountServices({ config, base, metrics, tracing, assertClock }, accounts)
    undo.push(() => services.close())
    const presence = await startPresence(base, () => appIdsOf(services.accounts.all), base.instance)
    undo.push(() => presence.end())
    const keys = createKeyring(given ?? config.apiKeys.map(unboundKey))
    const app = await buildApp({
      ...config,
      db,
      accounts: services.accounts,
      partsOf: (appId) => services.of(appId).parts,
      keys,
      assertMigrated,
      metrics,
      traceRequests: tracing?.traceRequests,
      log,
      now,
      ...(options.connections ? { connections: options.connections } : {}),
    })
    undo.push(() => closeApp(app, options.finishRequestsMs ?? FINISH_REQUESTS_MS))
    const url = await app.listen({ host: config.host, port: config.port })
    undo.push(() => services.stopWork())
    log.info({ event: 'service.started', url, app_ids: appIdsOf(accounts) })

    async function stop(): Promise<void> {
      const [stoppedAt, before] = [performance.now(), services.givenBack()]
      log.info({ event: 'service.stopping' })
      await release()
      const ms = Math.round(performance.now() - stoppedAt)
      log.info({ event: 'service.stopped', ms, given_back: services.givenBack() - before })
    }
    return {
      url,
      app,
      of: services.of,
      startSchedule: services.startSchedules,
      log,
      async change(served) {
        if (served.keys) keys.replace(served.keys)
        await services.change(served.accounts)
        await presence.update()
      },
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

/** Brings the tables up to date where that is wanted, or refuses to work on old ones. */
async function prepareDatabase(
  { db, log, now }: Base,
  accounts: readonly Account[],
  migrate: boolean,
): Promise<void> {
  // Rows of a time before there were accounts belong to the only one; of several, nobody knows which.
  const [only, ...others] = accounts
  const owner = others.length === 0 ? only?.appId : undefined
  if (migrate || isSqlite(db))
    await migrateLatest(db, {
      onMessage: (message) => log.info({ event: 'migrated' }, message),
      appId: owner ?? '',
    })
  await assertMigrated(db)
  if (owner !== undefined) await assignUnassigned(db, owner, now())
}

const appIdsOf = (accounts: readonly Account[]) => accounts.map(({ appId }) => appId)

/** Finishes what is under way, and cuts off what takes longer than the limit. */
async function closeApp(app: FastifyInstance, limitMs: number): Promise<void> {
  const limit = setTimeout(() => app.server.closeAllConnections(), limitMs)
  await app.close().finally(() => clearTimeout(limit))
}
