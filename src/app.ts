import { randomUUID } from 'node:crypto'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fastify, { type FastifyInstance } from 'fastify'
import type { Knex } from 'knex'
import type { Account, ApiKey } from './config.js'
import { createAuthenticate } from './http/api-key.js'
import { answerFrameworkError, handleErrors } from './http/errors.js'
import type { Logger } from './lib/logger.js'
import { healthRoutes } from './operations/health-routes.js'
import type { Ingest } from './permits/ingest.js'
import { permitRoutes } from './permits/routes.js'
import { signInRoutes } from './sign-ins/routes.js'

export interface AppDeps {
  db: Knex
  account: Account
  apiKeys: ApiKey[]
  ingest: Ingest
  log: Logger
  now(): number
}

/** A thousand form_ids with their open_ids take about 200 KB. */
const BODY_LIMIT_BYTES = 1024 * 1024

/** The whole of the HTTP interface. Nothing listens yet. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: () => randomUUID(),
    frameworkErrors: answerFrameworkError,
    // What a caller sends is taken as it is or refused, never bent into shape.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
  })

  // Fastify reads text/plain by itself; here it is refused like all that is not JSON.
  app.removeContentTypeParser('text/plain')
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

  await app.register(swagger, {
    openapi: {
      // 3.0 knows no `if`, which tells one item from a batch.
      openapi: '3.1.0',
      info: { title: 'Sign-in reminder', version: '1', description: 'Permits, sign-ins and reminders' },
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    },
  })
  await app.register(swaggerUi, { routePrefix: '/docs' })
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())

  const { db, account, ingest, now } = deps
  const authenticate = createAuthenticate(deps.apiKeys)
  await app.register(permitRoutes({ appId: account.appId, ingest, authenticate, now }))
  await app.register(signInRoutes({ db, account, authenticate, now }))
  await app.register(healthRoutes({ db }))
  return app
}
