/** The API description as tests read it. */

export interface Media {
  schema: Record<string, unknown>
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

export interface Parameter extends Media {
  in: 'path' | 'query' | 'header'
  name: string
  required?: boolean
}

export interface Operation {
  operationId: string
  summary: string
  description: string
  tags: string[]
  security?: Record<string, string[]>[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { description: string; headers: object; content: Record<string, Media> }>
}

export interface ApiDescription {
  openapi: string
  info: { title: string; version: string; description: string }
  paths: Record<string, Record<string, Operation>>
  components: { securitySchemes: Record<string, unknown> }
}

export interface Call {
  /** Such as `PUT /v1/users`. */
  name: string
  method: string
  path: string
  operation: Operation
}

export function callsOf({ paths }: ApiDescription): Call[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      operation,
    })),
  )
}

/** The examples of a body or a parameter, in their order. */
export function examplesOf({ example, examples = {} }: Media): unknown[] {
  const named = Object.values(examples).map(({ value }) => value)
  return example === undefined ? named : [example, ...named]
}

export function jsonOf(content: Record<string, Media> | undefined): Media | undefined {
  return content?.['application/json']
}

/** The answer that a call gives when all is well. */
export function successOf({ responses }: Operation): { status: number; media: Media | undefined } {
  const [status = ''] = Object.keys(responses).filter((code) => code.startsWith('2'))
  return { status: Number(status), media: jsonOf(responses[status]?.content) }
}
