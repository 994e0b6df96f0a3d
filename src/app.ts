import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import type { Knex } from 'knex'
import type { Accounts } from './accounts.js'
import { callbackRoutes } from './callbacks/routes.js'
import type { Operators } from './dashboard/deps.js'
import { dashboardRoutes } from './dashboard/routes.js'
import type { DatabaseOf } from './db/share.js'
import { createAccountOf } from './http/account-of.js'
import { apiDescription } from './http/api-description.js'
import type { Keyring } from './http/api-keys.js'
import { type Callers, createCallers } from './http/callers.js'
import type { ConnectionLimits } from './http/connections.js'
import { registerDocsPage } from './http/docs-page.js'
import { createFailures, type Failures } from './http/failures.js'
import { createLimit, registerLimits } from './http/limits.js'
import type { RateLimits } from './http/rate-limits.js'
import { createServer } from './http/server.js'
import type { Logger } from './lib/logger.js'
import type { Metrics } from './metrics/metrics.js'
import { metricsRoutes } from './metrics/routes.js'
import { healthRoutes } from './operations/health-routes.js'
import { balanceRoutes } from './permits/balance-routes.js'
import type { Ingest } from './permits/ingest.js'
import type { SubscriptionOutcome } from './permits/report-subscription.js'
import { permitRoutes } from './permits/routes.js'
import { subscriptionRoutes } from './permits/subscription-routes.js'
import { explainRoutes } from './reminders/explain-routes.js'
import { runRoutes } from './reminders/routes.js'
import { signInRoutes } from './sign-ins/routes.js'
import type { Intake } from './submitted/intake.js'
import { messageRoutes } from './submitted/message-routes.js'
import { submitRoutes } from './submitted/routes.js'
import { forecastRoutes } from './summaries/routes.js'
import { eraseRoutes } from './user-data/erase-routes.js'
import { userDataRoutes } from './user-data/routes.js'
import type { LogInDeps } from './users/log-in.js'
import { optOutRoutes } from './users/opt-out-routes.js'
import { userRoutes } from './users/routes.js'
import { sessionRoutes } from './users/session-routes.js'
import { createSessionTokens } from './users/session-token.js'
import { userOfSession } from './users/user-ids.js'
import { webhookRoutes } from './webhooks/routes.js'
import type { LoginResult } from './wechat/login.js'

/** What the routes ask of the parts of an account. */
export interface AccountParts {
  /** Its share of the database. */
  db: Knex
  ingest: Ingest
  intake: Intake
  /** Asks WeChat whose code of wx.login this is. */
  exchangeCode(code: string): Promise<LoginResult>
  onSubscriptions(outcomes: SubscriptionOutcome[]): void
  /** So many events of WeChat have been stored. */
  onEvents(events: number): void
  /** A backend has bound a user to an open_id. */
  onUserBound(openId: string): Promise<void>
  /** Called when messages of backends have been stored. */
  onSubmitted(): void
  /** undefined where there are no operators' pages. */
  operators: Operators | undefined
}

export interface AppDeps {
  db: Knex
  /** Throws if the database cannot be worked on, and says what is missing. */
  assertMigrated(db: Knex): Promise<void>
  accounts: Accounts
  /** Throws `unknown_account` for one that is not served any more. */
  partsOf(appId: string): AccountParts
  keys: Keyring
  /** The first one signs; none = no sessions. */
  sessionSecrets: string[]
  rateLimits: RateLimits
  trustProxy: string[]
  /** Whether /docs and /openapi.json are served. */
  apiDocs: boolean
  /** Of the operators' pages, as it is or as a hash; undefined = there are none. */
  adminPassword: string | undefined
  /** Overrides CONNECTION_LIMITS. */
  connections?: Partial<ConnectionLimits>
  /** A sign-in older than this is not recorded: its row would be deleted the next night. */
  retentionDays: number
  metrics: Metrics
  /** Begins a span for each request. */
  traceRequests?: ((app: FastifyInstance) => void) | undefined
  /** undefined: only programs on this machine read the metrics. */
  metricsToken: string | undefined
  log: Logger
  now(): number
}

/** Builds the whole HTTP interface. It does not listen yet. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const app = createServer(deps)
  deps.metrics.countRequests(app)
  deps.traceRequests?.(app)
  if (deps.apiDocs) await describeApi(app)

  const { db, accounts, partsOf, metrics, now } = deps
  const accountOf = createAccountOf(accounts)
  const dbOf: DatabaseOf = (appId) => partsOf(appId).db
  await registerLimits(app)
  const sessions = openSessions(deps)
  const callers = callersOf(app, deps, sessions)
  const loginLimit = createLimit(app, deps.rateLimits.ip)
  await app.register(sessionRoutes({ accountOf, sessions, loginLimit, now }))
  await app.register(
    userRoutes({
      dbOf,
      accountOf,
      callers,
      onBound: (appId, openId) => partsOf(appId).onUserBound(openId),
      now,
    }),
  )
  await app.register(userDataRoutes({ db, accountOf, callers, now }))
  await app.register(eraseRoutes({ dbOf, accountOf, callers, log: deps.log, now }))
  await app.register(optOutRoutes({ dbOf, accountOf, callers, now }))
  const { retentionDays } = deps
  await app.register(explainRoutes({ db, accountOf, retentionDays, callers, now }))
  await app.register(
    permitRoutes({
      dbOf,
      accountOf,
      ingestOf: (appId) => partsOf(appId).ingest,
      callers,
      log: deps.log,
      now,
    }),
  )
  await app.register(
    subscriptionRoutes({
      dbOf,
      accountOf,
      callers,
      log: deps.log,
      now,
      onReported: (appId, outcomes) => partsOf(appId).onSubscriptions(outcomes),
    }),
  )
  await app.register(balanceRoutes({ db, accountOf, callers, now }))
  await app.register(signInRoutes({ dbOf, accountOf, callers, retentionDays, now }))
  await app.register(forecastRoutes({ db, accountOf, callers, now }))
  await app.register(runRoutes({ db, accountOf, callers, now }))
  const submitted = {
    db,
    dbOf,
    accountOf,
    callers,
    onSubmitted: (appId: string) => partsOf(appId).onSubmitted(),
    now,
  }
  await app.register(submitRoutes({ ...submitted, intakeOf: (appId) => partsOf(appId).intake }))
  await app.register(messageRoutes(submitted))
  await app.register(webhookRoutes({ db, dbOf, accountOf, callers, now }))
  await app.register(
    callbackRoutes({
      dbOf,
      accounts,
      refusedPerMinute: deps.rateLimits.refused,
      onStored: (appId, events) => partsOf(appId).onEvents(events),
      onRefused: metrics.callers.failuresOf('callback'),
      log: deps.log,
      now,
    }),
  )
  await app.register(dashboardRoutes({ ...deps, operatorsOf: (appId) => operatorsOf(deps, appId) }))
  await app.register(healthRoutes({ db, assertMigrated: deps.assertMigrated }))
  await app.register(
    metricsRoutes({ metrics, token: deps.metricsToken, failures: failuresOf(deps, 'metrics') }),
  )
  return app
}

/** Wrong credentials are counted apart for each area: a forgotten token of Prometheus locks no backend out. */
function failuresOf({ rateLimits, metrics, log, now }: AppDeps, area: 'api' | 'metrics'): Failures {
  return createFailures({
    event: 'auth.failed',
    perMinute: rateLimits.refused,
    onFailure: metrics.callers.failuresOf(area),
    log,
    now,
  })
}

function callersOf(app: FastifyInstance, deps: AppDeps, sessions: LogInDeps | undefined): Callers {
  const { db, accounts, rateLimits, now } = deps
  return createCallers(app, {
    keys: deps.keys,
    sessions: sessions && {
      verify: (token) => sessions.tokens.verify(token, now()),
      findUser: ({ appId, openId }) => userOfSession(db, accounts.of(appId), openId, now()),
    },
    failures: failuresOf(deps, 'api'),
    keyLimit: createLimit(app, rateLimits.key, (request) => request.countedFor),
    sessionLimit: createLimit(app, rateLimits.session, (request) => request.countedFor),
    log: deps.log,
    now,
  })
}

/** Call it before the routes: it describes those that are registered after it. */
async function describeApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, apiDescription())
  await registerDocsPage(app)
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
}

function openSessions({ sessionSecrets, ...deps }: AppDeps): LogInDeps | undefined {
  const [newest, ...older] = sessionSecrets
  if (newest === undefined) return undefined
  const tokens = createSessionTokens({
    isServed: (appId) => deps.accounts.all.some((account) => account.appId === appId),
    secrets: [newest, ...older],
  })
  return {
    dbOf: (appId) => deps.partsOf(appId).db,
    exchangeCode: (appId, code) => deps.partsOf(appId).exchangeCode(code),
    tokens,
    log: deps.log,
  }
}

function operatorsOf({ partsOf }: AppDeps, appId: string): Operators {
  const { operators } = partsOf(appId)
  if (!operators) throw new Error('The pages are on, and this account has nobody to work for them')
  return operators
}
