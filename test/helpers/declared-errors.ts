import type { FastifyInstance } from 'fastify'
import { type ApiDescription, callsOf, examplesOf, jsonOf } from './api-description.js'

/** Any call may be answered with these, see the text of the API description. */
const ANY_CALL = ['malformed_request', 'request_timeout', 'headers_too_large']

/** For each call of a service: its address as a pattern, and the codes of `errorsOf` at its route. */
export function readDeclaredErrors(
  app: FastifyInstance,
): (method: string, path: string) => string[] | undefined {
  const calls = callsOf(app.swagger() as unknown as ApiDescription).map(({ method, path, operation }) => ({
    method,
    address: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
    codes: Object.values(operation.responses).flatMap(({ content }) =>
      examplesOf(jsonOf(content) ?? { schema: {} }).flatMap((example) => codeOf(example) ?? []),
    ),
  }))
  return (method, path) => {
    const [bare = ''] = path.split('?')
    const call = calls.find((each) => each.method === method && each.address.test(bare))
    return call && [...call.codes, ...ANY_CALL]
  }
}

export function codeOf(body: unknown): string | undefined {
  const { error } = (body ?? {}) as { error?: { code?: unknown } }
  return typeof error?.code === 'string' ? error.code : undefined
}
