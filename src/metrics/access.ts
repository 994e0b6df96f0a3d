import { timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import type { Failures } from '../http/failures.js'
import { sha256 } from '../lib/sha256.js'

/** By each of these a proxy tells that it passes on somebody else's request. */
const PROXY_HEADERS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
]

/**
 * Who may read the metrics: with METRICS_TOKEN whoever sends it, without it only programs on this machine. Returns a
 * check that throws `unauthorized` or `forbidden`.
 */
export function createMetricsAccess(
  token: string | undefined,
  failures: Failures,
): (request: FastifyRequest) => void {
  if (token === undefined) return assertLocal
  const wanted = sha256(token)
  return (request) => {
    failures.check(request)
    const given = /^Bearer\s+(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1]
    if (given !== undefined && timingSafeEqual(sha256(given), wanted)) return
    failures.count(request, 'token')
    throw new ServiceError('unauthorized', 'Send METRICS_TOKEN as "Authorization: Bearer TOKEN"')
  }
}

/**
 * The connection itself must come from this machine, and name it: a proxy on this machine passes on requests of
 * strangers, and a page in a browser here may have a name of its own lead to this machine (DNS rebinding).
 */
function assertLocal({ headers, raw }: FastifyRequest): void {
  const isPassedOn = PROXY_HEADERS.some((name) => headers[name] !== undefined)
  if (!isPassedOn && isLoopback(raw.socket.remoteAddress ?? '') && namesThisMachine(headers.host ?? ''))
    return
  throw new ServiceError(
    'forbidden',
    'Without METRICS_TOKEN, metrics are for programs on this machine that call it as 127.0.0.1 or localhost, not through a proxy; set METRICS_TOKEN and send it as "Authorization: Bearer TOKEN"',
  )
}

function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\./i.test(address) || address === '::1'
}

function namesThisMachine(host: string): boolean {
  const name = host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return name === 'localhost' || (isIP(name) > 0 && isLoopback(name))
}
