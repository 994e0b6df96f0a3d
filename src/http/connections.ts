import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { ServiceError } from '../errors.js'
import { newTraceId } from '../lib/trace-context.js'
import { errorBody, REQUEST_ID } from './errors.js'
import { SECURITY_HEADERS } from './security-headers.js'

/** How long one connection may take, and how many there may be. */
export interface ConnectionLimits {
  /** From the connection or the first byte to the end of the headers. */
  headersMs: number
  /** The same to the end of the body. A phone in a tunnel sends its few hundred bytes in a second or two. */
  requestMs: number
  /**
   * Between two requests. Longer than the 60 s of most reverse proxies, so that the proxies hang up first.
   */
  keepAliveMs: number
  /** Without a byte in either direction, such as a caller that does not read its answer. */
  silenceMs: number
  /** How often the first two limits are checked. */
  checkMs: number
  /**
   * Further connections are closed at once. Addresses are not told apart: behind a reverse proxy all
   * connections come from it.
   */
  connections: number
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 72_000,
  silenceMs: 120_000,
  checkMs: 1_000,
  connections: 2_048,
}

export function connectionOptions(limits: ConnectionLimits) {
  return {
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionTimeout: limits.silenceMs,
    http: {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.checkMs,
    },
    clientErrorHandler: answerClientError,
  } satisfies FastifyServerOptions & { http: object }
}

export function limitConnections(app: FastifyInstance, { connections }: ConnectionLimits): void {
  app.server.maxConnections = connections
}

const BY_NODE_CODE: Record<string, ServiceError> = {
  ERR_HTTP_REQUEST_TIMEOUT: new ServiceError('request_timeout', 'The request took too long to arrive'),
  HPE_HEADER_OVERFLOW: new ServiceError('headers_too_large', 'The headers of the request are too large'),
}
const NO_REQUEST = new ServiceError('malformed_request', 'This is not an HTTP request')

/** For what the HTTP parser refuses, before there is a request. */
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const known = BY_NODE_CODE[error.code ?? ''] ?? NO_REQUEST
    const body = JSON.stringify(errorBody(known))
    const headers = {
      ...SECURITY_HEADERS,
      [REQUEST_ID]: newTraceId(),
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      Connection: 'close',
    }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\n${lines.join('')}\r\n${body}`)
  }
  // A client that sends slowly would also close slowly.
  socket.destroy()
}
