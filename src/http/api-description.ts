import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { programVersion } from '../lib/version.js'
import { REQUEST_ID } from './errors.js'

/** What /openapi.json says beside the routes. */

export const TITLE = 'Sign-in reminder'

/** Documents that the text links to, and what they are about. */
export const TOPICS: Record<string, string> = {
  'http.md': 'every call, why items are refused, sessions, user ids',
  'http.zh-CN.md': '接口说明（中文）',
  'mini-program.md': 'the mini-program’s side',
  'mini-program.zh-CN.md': '小程序端（中文）',
  'callbacks.md': 'WeChat’s events',
  'callbacks.zh-CN.md': '微信事件（中文）',
  'operating.md': 'running the service, what to do when reminders fail',
  'operating.zh-CN.md': '运维（中文）',
}

const topics = Object.entries(TOPICS).map(([page, about]) => `- [${page}](/docs/topics/${page}): ${about}`)

const DESCRIPTION = `Collects the permits that WeChat wants for each message to a mini-program’s user, records sign-ins, and
reminds everybody who has not signed in once a day.

**To try it out**, press *Authorize* and enter an API key (the demo prints one), or the session token of a user. Both are sent
as \`Authorization: Bearer …\`. A key may speak for every user; a session speaks for its own, so leave \`open_id\` and \`user_id\` out.

**Errors** have one shape, \`{"error":{"code","message","details"?}}\`. Match on \`code\`; the message is for people. Beside those
that a call lists, any call may be answered 400 \`malformed_request\`, 404 \`not_found\`, 405 \`method_not_allowed\`, 408 \`request_timeout\` or 431
\`headers_too_large\`. After a 503, or no answer, send the same again: nothing counts twice, except for a
report of a subscription with neither \`tap_id\` nor \`tapped_at\`.

**Every answer** has \`${REQUEST_ID}\`, under which the log of the service knows the request. Send a W3C \`traceparent\`, and it is
your own trace id.

${topics.join('\n')}`

/** The order in which /docs shows them. A tag that is not here is shown last. */
const TAGS = [
  { name: 'permits', description: 'Upload what users gave, and ask whether more is useful' },
  { name: 'sign-ins', description: 'Who signed in; they are not reminded that day' },
  { name: 'users', description: 'Who is who, sessions, opt-outs' },
  { name: 'runs', description: 'How the reminders of a day went' },
  { name: 'messages', description: 'Messages that your backend sends' },
  { name: 'forecast', description: 'Whom the coming days can reach' },
  { name: 'operations', description: 'For whoever keeps the service running' },
]

export function apiDescription(): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      // OpenAPI 3.0 has no `if`, which tells one item from a batch.
      openapi: '3.1.0',
      info: {
        title: TITLE,
        version: programVersion(),
        description: DESCRIPTION,
        license: { name: 'UNLICENSED', identifier: 'LicenseRef-UNLICENSED' },
      },
      servers: [{ url: '/', description: 'The service that shows this page' }],
      tags: TAGS,
      components: {
        securitySchemes: {
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            description:
              'An API key, for a backend. Each call names the scope that a key needs for it: `upload`, `send`, `read` or `admin`; a key of `API_KEYS` has all of them',
          },
          session: {
            type: 'http',
            scheme: 'bearer',
            description: 'A token of `POST /v1/sessions`, for one user',
          },
        },
      },
    },
    transformObject: (document) => ('openapiObject' in document ? finish(document.openapiObject) : {}),
  }
}

type OpenApi = Extract<
  Parameters<NonNullable<FastifyDynamicSwaggerOptions['transformObject']>>[0],
  { openapiObject: object }
>['openapiObject']

const REQUEST_ID_HEADER = {
  description: 'The id of the request in the log: 32 hex digits, the trace id of a W3C traceparent',
  schema: { type: 'string', pattern: '^[0-9a-f]{32}$' },
} as const

/** What is validated by conditions, or in steps, is described as what it may be. */
function asDescribed(document: OpenApi): OpenApi {
  return JSON.parse(JSON.stringify(document), (_, value) => {
    if (!value?.['x-described']) return value
    const { type, description, 'x-described': described } = value
    return { type, ...(description ? { description } : {}), ...described }
  })
}

/** Adds what every answer has, where it is not in the way of the errors, and leaves out the tags that no call has. */
function finish(document: OpenApi): OpenApi {
  const operations = Object.values(document.paths ?? {}).flatMap((path) => [
    path?.get,
    path?.post,
    path?.put,
    path?.delete,
  ])
  const used = new Set(operations.flatMap((operation) => operation?.tags ?? []))
  for (const operation of operations) {
    for (const [status, response] of Object.entries(operation?.responses ?? {})) {
      if (status.startsWith('2') && 'description' in response && !('$ref' in response))
        response.headers = { [REQUEST_ID]: REQUEST_ID_HEADER, ...response.headers }
    }
  }
  return asDescribed({ ...document, tags: TAGS.filter(({ name }) => used.has(name)) })
}
