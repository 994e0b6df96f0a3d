import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { Logger } from '../lib/logger.js'
import { quoteLargeUserIds } from '../lib/lossless-json.js'
import { newTraceId, traceIdIn } from '../lib/trace-context.js'
import { SMALL_BODY_BYTES } from './body-limits.js'
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  connectionOptions,
  limitConnections,
} from './connections.js'
import { answerFrameworkError, handleErrors, REQUEST_ID } from './errors.js'
import { SECURITY_HEADERS } from './security-headers.js'
import { serializeAnswers } from './serialization.js'
import { validateInput } from './validation.js'

export interface ServerOptions {
  trustProxy: string[]
  /** Instead of CONNECTION_LIMITS. */
  connections?: Partial<ConnectionLimits>
  log: Logger
}

/**
 * A server without routes: limits, JSON, errors, headers, one log line for each request. It does not listen
 * yet.
 */
export function createServer({ trustProxy, connections, log }: ServerOptions): FastifyInstance {
  const limits = { ...CONNECTION_LIMITS, ...connections }
  const app = fastify({
    ...connectionOptions(limits),
    bodyLimit: SMALL_BODY_BYTES,
    trustProxy,
    genReqId: ({ headers }) => traceIdIn(headers.traceparent) ?? newTraceId(),
    frameworkErrors: answerFrameworkError,
  })
  limitConnections(app, limits)
  // This hook and those below have callbacks: each promise costs a request a turn of the microtask queue.
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(SECURITY_HEADERS).header(REQUEST_ID, request.id)
    done()
  })
  takeJsonAlone(app)
  validateInput(app)
  serializeAnswers(app)
  handleErrors(app, log)
  closeConnections(app)
  logRequests(app, log)
  return app
}

/** Fastify parses text/plain by default; here it is refused like everything that is not JSON. */
function takeJsonAlone(app: FastifyInstance): void {
  app.removeContentTypeParser(['text/plain', 'application/json'])
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) =>
    parseJson(request, quoteLargeUserIds(body), done),
  )
}

/**
 * Otherwise a keep-alive connection whose answer is under way at a stop would stay open, and the server with
 * it, for 72 s.
 */
function closeConnections(app: FastifyInstance): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('Connection', 'close')
    done()
  })
}

/** Refused with 401, 403, 422 or 429: the line says why, and whose key it was, never the key. */
function logRequests(app: FastifyInstance, log: Logger): void {
  app.addHook('onResponse', (request, reply, done) => {
    const level = reply.statusCode >= 500 ? 'error' : reply.statusCode >= 400 ? 'info' : 'debug'
    log[level]({
      event: 'http.request',
      trace_id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      key: request.caller?.kind === 'backend' ? request.caller.name : undefined,
      ...reasonOf(request),
    })
    done()
  })
}

function reasonOf({ refusal }: FastifyRequest): { code?: string; field?: unknown } {
  if (!refusal) return {}
  const { code, details } = refusal
  return details?.field === undefined ? { code } : { code, field: details.field }
}
