import Schema from 'typebox/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ERROR_STATUS } from '../../src/errors.js'
import { DEMO_ACCOUNT } from '../../src/sandbox/accounts.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import {
  type ApiDescription,
  type Call,
  callsOf,
  examplesOf,
  jsonOf,
  type Media,
  successOf,
} from '../helpers/api-description.js'
import { API_KEY, startTestService, type TestService } from '../helpers/service.js'

const NOON = Date.parse('2026-11-21T12:00:00+08:00')

let service: TestService
let wechat: Sandbox
let calls: Call[]
beforeAll(async () => {
  wechat = await startSandbox({ now: () => NOON, accounts: [DEMO_ACCOUNT] })
  service = await startTestService('sqlite', {
    env: {
      WX_API_BASE_URL: wechat.url,
      WX_APP_ID: DEMO_ACCOUNT.appId,
      WX_APP_SECRET: DEMO_ACCOUNT.secret,
      SESSION_SECRET: 'c29tZXRoaW5nLXJhbmRvbS1mb3ItYS10ZXN0',
    },
    now: () => NOON,
  })
  calls = callsOf((await service.request('GET', '/openapi.json')).body as ApiDescription)
})
afterAll(async () => {
  await service.close()
  await wechat.close()
})

/** Every place of the description that has an example, with its name. */
function* mediaOf({ name, operation }: Call): Generator<[string, Media]> {
  for (const parameter of operation.parameters ?? []) yield [`${name}: ${parameter.name}`, parameter]
  const body = jsonOf(operation.requestBody?.content)
  if (body) yield [`${name}: the request`, body]
  for (const [status, { content }] of Object.entries(operation.responses)) {
    const media = jsonOf(content)
    if (media) yield [`${name}: ${status}`, media]
  }
}

describe('examples in the API description', () => {
  test('there is one of each request, each answer and each part of an address, as its schema says', () => {
    let seen = 0
    for (const call of calls) {
      for (const [place, media] of mediaOf(call)) {
        const isOptional = 'in' in media && media.in === 'query' && !('example' in media)
        const examples = [...examplesOf(media), ...((media.schema.examples as unknown[]) ?? [])]
        if (!isOptional) expect(examples.length, place).toBeGreaterThan(0)
        for (const example of examples) {
          const [ok, errors] = Schema.Errors(media.schema, example)
          expect(ok, `${place}: ${JSON.stringify(example)}: ${JSON.stringify(errors)}`).toBe(true)
          seen++
        }
      }
    }
    expect(seen).toBeGreaterThan(50)
  })

  test('an error has an example of each code that its status may carry, and says what it means', () => {
    for (const { name, operation } of calls) {
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue
        const examples = examplesOf(jsonOf(content) ?? { schema: {} }) as { error: { code: string } }[]
        const codes = examples.map(({ error }) => error.code)
        expect(codes.length, `${name} ${status}`).toBeGreaterThan(0)
        for (const code of codes) {
          expect(ERROR_STATUS, `${name} ${status}`).toHaveProperty(code, Number(status))
          expect(description, `${name} ${status}`).toContain(`\`${code}\``)
        }
      }
    }
  })

  test('they are answered as their examples say', async () => {
    for (const call of inOrder(calls)) {
      const { status, media } = successOf(call.operation)
      const answers = media ? examplesOf(media) : []
      const bodies = jsonOf(call.operation.requestBody?.content)
      const requests = bodies ? examplesOf(bodies) : [undefined]
      for (const [i, body] of requests.entries()) {
        const answer = await service.request(call.method, addressOf(call), {
          ...(body === undefined ? {} : { body: JSON.stringify(realCode(call, body)) }),
          headers: {
            authorization: `Bearer ${API_KEY}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
        })
        expect(answer.status, `${call.name}: ${answer.text}`).toBe(status)
        const example = answers[Math.min(i, answers.length - 1)]
        expect(shapeOf(answer.body), call.name).toEqual(shapeOf(example))
      }
    }
  })
})

/** Users before their permits, what ends something last. */
function inOrder(all: Call[]): Call[] {
  const rank = ({ method, path }: Call): number =>
    method === 'DELETE' ? 4 : path.endsWith('/opt-out') ? 3 : method === 'GET' ? 2 : method === 'PUT' ? 0 : 1
  return [...all].sort((a, b) => rank(a) - rank(b))
}

function addressOf({ path, operation }: Call): string {
  const query = new URLSearchParams()
  let address = path
  for (const parameter of operation.parameters ?? []) {
    const [example] = examplesOf(parameter)
    if (parameter.in === 'path') address = address.replace(`{${parameter.name}}`, String(example))
    else if (example !== undefined) query.set(parameter.name, String(example))
  }
  return query.size > 0 ? `${address}?${query}` : address
}

/** WeChat gives out each code for one login. */
function realCode({ operation }: Call, body: unknown): unknown {
  if (operation.operationId !== 'createSession') return body
  return { code: wechat.control.issueLoginCode({ openId: 'oDemo1' }) }
}

/** The names of all fields and the types of all values; a list is as its first item. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return typeof value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shapeOf(part)]))
}
