import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'

const NAMED = /^\/as\/([\w-]+)(\/.*)$/
const HEADER = 'x-sandbox-client'

/**
 * A client whose base URL ends in `/as/NAME` calls the same paths under its own name, so that a test knows
 * which of several processes made a request. Returns the URL without it.
 */
export function takeName(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const [, name, path] = NAMED.exec(url) ?? []
  if (name === undefined || path === undefined) return url
  request.headers[HEADER] = name
  return path
}

export function nameOf({ headers }: FastifyRequest): string | undefined {
  const name = headers[HEADER]
  return typeof name === 'string' ? name : undefined
}
