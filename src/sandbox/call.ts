import type { FastifyRequest } from 'fastify'
import { nameOf } from './callers.js'

/** One request to WeChat, read once for the rules and the faults alike. */
export interface Call {
  path: string
  method: string
  /** The address that the call came from. */
  ip: string
  query: Readonly<Record<string, unknown>>
  accessToken: string | undefined
  /** The JSON object that was sent; undefined if the body is empty or not a JSON object. */
  body: Readonly<Record<string, unknown>> | undefined
  hasBody: boolean
  /** The name under which the client calls, see callers.ts. */
  client: string | undefined
}

/** WeChat reads the body as JSON whatever the content type says, so it arrives here as text. */
export function readCall(request: FastifyRequest, path: string): Call {
  const query = request.query as Record<string, unknown>
  const text = typeof request.body === 'string' ? request.body : ''
  return {
    path,
    method: request.method,
    ip: request.ip,
    query,
    accessToken: typeof query.access_token === 'string' ? query.access_token : undefined,
    body: parseObject(text),
    hasBody: text !== '',
    client: nameOf(request),
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (text === '') return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
