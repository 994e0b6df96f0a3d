import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { isContention, whyUnavailable } from '../db/errors.js'
import { type ErrorCode, ServiceError } from '../errors.js'
import type { Logger } from '../lib/logger.js'
import { watchRoutes } from './allowed-methods.js'
import { BODY_TOO_LARGE } from './body-limits.js'
import { SECURITY_HEADERS } from './security-headers.js'
import { InvalidInput, invalidRequest } from './validation.js'

/** The one shape of every failure. */
export const ErrorShape = Type.Object({
  code: Type.String(),
  message: Type.String(),
  details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})

export const ErrorBody = Type.Object({ error: ErrorShape })

/** On every answer: what the log calls `trace_id`. The error shape is a contract, and has no place for it. */
export const REQUEST_ID = 'X-Request-Id'

declare module 'fastify' {
  interface FastifyRequest {
    /** Why it was not answered as asked; undefined if it was. For the log. */
    refusal: ServiceError | undefined
  }
}

const RETRY_AFTER_SECONDS = 5

const BY_FASTIFY_CODE: Record<string, [ErrorCode, string]> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed_json', 'The body is not valid JSON'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed_json', 'The body is empty; send JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'malformed_json',
    'The body does not have the length given in Content-Length',
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: [...BODY_TOO_LARGE],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'Send JSON, with Content-Type: application/json',
  ],
}

/**
 * Turns whatever a route throws into the one error shape. Our own faults are logged, and hidden from the
 * caller.
 */
export function handleErrors(app: FastifyInstance, log: Logger): void {
  app.decorateRequest('refusal', undefined)
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = isHangUp(error, request) ? HUNG_UP : toServiceError(error, request.id)
    request.refusal = known
    if (known.status >= 500) {
      log.error(
        { event: 'http.failed', trace_id: request.id, err: error, code: known.code },
        'a request failed',
      )
    }
    const retryAfter = known.retryAfterSeconds ?? (known.status === 503 ? RETRY_AFTER_SECONDS : undefined)
    if (retryAfter !== undefined) reply.header('Retry-After', retryAfter)
    return reply.status(known.status).send(errorBody(known))
  })
  // Before the body is read: otherwise strangers could have a megabyte parsed at any address that does not
  // exist.
  const allowed = watchRoutes(app)
  app.addHook('onRequest', (request, reply, done) => {
    done(request.is404 ? noSuchCall(request, reply) : undefined)
  })
  app.setNotFoundHandler((request, reply) => {
    throw noSuchCall(request, reply)
  })

  function noSuchCall({ method, url }: FastifyRequest, reply: FastifyReply): ServiceError {
    const [path = ''] = url.split('?')
    const methods = allowed(path).filter((one) => one !== method)
    if (methods.length === 0) return new ServiceError('not_found', `There is no ${method} ${path}`)
    const list = methods.sort().join(', ')
    reply.header('Allow', list)
    return new ServiceError('method_not_allowed', `There is no ${method} ${path}; it takes ${list}`)
  }
}

/**
 * Nobody reads the answer: this is for the log, where a caller that left must not look like an outage of
 * ours.
 */
const HUNG_UP = new ServiceError('malformed_request', 'The caller hung up before the whole body had arrived')

function isHangUp(error: Error, { raw }: FastifyRequest): boolean {
  return raw.readableAborted && !(error instanceof ServiceError)
}

/**
 * For requests that fail before a route is chosen, such as a path that cannot be decoded: no error handler
 * runs then.
 */
export function answerFrameworkError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const known = toServiceError(error, request.id)
  // The schema of an answer belongs to a route, and there is no route here.
  reply
    .status(known.status)
    .headers(SECURITY_HEADERS)
    .header(REQUEST_ID, request.id)
    .header('Content-Type', 'application/json; charset=utf-8')
  reply.serializer(JSON.stringify).send(errorBody(known))
}

export function errorBody(error: ServiceError): { error: Type.Static<typeof ErrorShape> } {
  return { error: errorShape(error) }
}

export function errorShape({ code, message, details }: ServiceError): Type.Static<typeof ErrorShape> {
  return details ? { code, message, details } : { code, message }
}

/** What the caller is told of an error. */
export function toServiceError(error: FastifyError, requestId: string): ServiceError {
  if (error instanceof ServiceError) return error
  const known = BY_FASTIFY_CODE[error.code]
  if (known) return new ServiceError(...known)
  if (error instanceof InvalidInput) return invalidRequest(error.faults)
  const why = whyUnavailable(error)
  if (why) return new ServiceError('not_ready', `The database ${why}; try again shortly`)
  if (isContention(error))
    return new ServiceError('overloaded', 'Another transaction holds rows that this needs; try again shortly')
  if (error.statusCode !== undefined && error.statusCode < 500)
    return new ServiceError('malformed_request', error.message)
  return new ServiceError(
    'internal',
    `Something went wrong on our side; the log says what, with trace_id ${requestId}`,
  )
}
