import { randomUUID } from 'node:crypto'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fastify, { type FastifyInstance } from 'fastify'
import type { Knex } from 'knex'
import type { Account } from './account.js'
import { callbackRoutes } from './callbacks/routes.js'
import { SMALL_BODY_BYTES } from './http/body-limits.js'
import { type ApiKey, createCallers } from './http/callers.js'
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  connectionOptions,
  limitConnections,
} from './http/connections.js'
import { answerFrameworkError, handleErrors } from './http/errors.js'
import { createFailures } from './http/failures.js'
import { createLimit, registerLimits } from './http/limits.js'
import type { RateLimits } from './http/rate-limits.js'
import { DOCS_POLICY, SECURITY_HEADERS } from './http/security-headers.js'
import type { Logger } from './lib/logger.js'
import { quoteLargeUserIds } from './lib/lossless-json.js'
import { healthRoutes } from './operations/health-routes.js'
import { balanceRoutes } from './permits/balance-routes.js'
import type { Ingest } from './permits/ingest.js'
import { permitRoutes } from './permits/routes.js'
import { subscriptionRoutes } from './permits/subscription-routes.js'
import { signInRoutes } from './sign-ins/routes.js'
import type { LogInDeps } from './users/log-in.js'
import { optOutRoutes } from './users/opt-out-routes.js'
import { userRoutes } from './users/routes.js'
import { sessionRoutes } from './users/session-routes.js'
import { createSessionTokens } from './users/session-token.js'
import { findOrAllotUsers } from './users/user-ids.js'

export interface AppDeps {
  db: Knex
  /** Throws what is missing in a database that cannot be worked on. */
  assertMigrated(db: Knex): Promise<void>
  account: Account
  apiKeys: ApiKey[]
  /** The first signs; none = no sessions. */
  sessionSecrets: string[]
  exchangeCode: LogInDeps['exchangeCode']
  rateLimits: RateLimits
  trustProxy: string[]
  /** Whether /docs and /openapi.json are there. */
  apiDocs: boolean
  /** In place of CONNECTION_LIMITS. */
  connections?: Partial<ConnectionLimits>
  /** A sign-in of a day longer ago is not recorded: its row would be deleted in the next night. */
  retentionDays: number
  ingest: Ingest
  /** Told of events of WeChat that were stored. */
  onCallback(): void
  /** Told when a backend has bound a user to an open_id. */
  onUserBound(openId: string): Promise<void>
  log: Logger
  now(): number
}

/** The whole of the HTTP interface. Nothing listens yet. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const limits = { ...CONNECTION_LIMITS, ...deps.connections }
  const app = fastify({
    ...connectionOptions(limits),
    bodyLimit: SMALL_BODY_BYTES,
    trustProxy: deps.trustProxy,
    genReqId: () => randomUUID(),
    frameworkErrors: answerFrameworkError,
    // What a caller sends is taken as it is or refused, never bent into shape. A user_id may be a number or digits.
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allowUnionTypes: true,
      },
    },
  })

  // Fastify reads text/plain by itself; here it is refused like all that is not JSON.
  limitConnections(app, limits)
  app.addHook('onRequest', async (_, reply) => {
    reply.headers(SECURITY_HEADERS)
  })
  app.removeContentTypeParser(['text/plain', 'application/json'])
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) =>
    parseJson(request, quoteLargeUserIds(body), done),
  )
  handleErrors(app, deps.log)
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  // A keep-alive connection whose answer is under way would otherwise stay open, and the server with it, for 72 s.
  app.addHook('onSend', async (_, reply) => {
    if (closing) reply.header('Connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    const level = reply.statusCode >= 500 ? 'error' : reply.statusCode >= 400 ? 'info' : 'debug'
    deps.log[level]({
      event: 'http.request',
      trace_id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    })
  })

  if (deps.apiDocs) await describeApi(app)

  const { db, account, ingest, now } = deps
  await registerLimits(app)
  const sessions = openSessions(deps)
  const callers = createCallers(app, {
    apiKeys: deps.apiKeys,
    sessions: sessions && {
      appId: account.appId,
      verify: (token) => sessions.tokens.verify(token, now()),
      findUser: async (openId) => (await findOrAllotUsers(db, account, [openId], now())).get(openId),
    },
    failures: createFailures({
      event: 'auth.failed',
      perMinute: deps.rateLimits.refused,
      log: deps.log,
      now,
    }),
    keyLimit: createLimit(app, deps.rateLimits.key, (request) => request.countedFor),
    sessionLimit: createLimit(app, deps.rateLimits.session, (request) => request.countedFor),
  })
  const loginLimit = createLimit(app, deps.rateLimits.ip)
  await app.register(sessionRoutes({ appId: account.appId, sessions, loginLimit, now }))
  await app.register(userRoutes({ db, account, callers, onBound: deps.onUserBound, now }))
  await app.register(optOutRoutes({ db, account, callers, now }))
  await app.register(permitRoutes({ db, account, ingest, callers, now }))
  await app.register(subscriptionRoutes({ db, account, callers, now }))
  await app.register(balanceRoutes({ db, account, callers, now }))
  await app.register(signInRoutes({ db, account, callers, retentionDays: deps.retentionDays, now }))
  await app.register(
    callbackRoutes({
      db,
      account,
      refusedPerMinute: deps.rateLimits.refused,
      onStored: deps.onCallback,
      log: deps.log,
      now,
    }),
  )
  await app.register(healthRoutes({ db, assertMigrated: deps.assertMigrated }))
  return app
}

/** Before the routes: it describes those that come after it. */
async function describeApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      // 3.0 knows no `if`, which tells one item from a batch.
      openapi: '3.1.0',
      info: { title: 'Sign-in reminder', version: '1', description: 'Permits, sign-ins and reminders' },
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer', description: 'A key of API_KEYS, for a backend' },
          session: {
            type: 'http',
            scheme: 'bearer',
            description: 'A token of POST /v1/sessions, for one user',
          },
        },
      },
    },
  })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY })
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
}

function openSessions({ sessionSecrets, ...deps }: AppDeps): LogInDeps | undefined {
  const [newest, ...older] = sessionSecrets
  if (newest === undefined) return undefined
  const tokens = createSessionTokens({ appId: deps.account.appId, secrets: [newest, ...older] })
  return { ...deps, tokens }
}
