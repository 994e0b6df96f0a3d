import Schema from 'typebox/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ERROR_STATUS } from '../../src/errors.js'
import { runReminders } from '../../src/reminders/run.js'
import { DEMO_ACCOUNT, DEMO_PAGE, DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { EXAMPLE_MESSAGE, TEMPLATE } from '../../src/submitted/schemas.js'
import {
  type ApiDescription,
  type Call,
  callsOf,
  examplesOf,
  jsonOf,
  type Media,
  successOf,
} from '../helpers/api-description.js'
import { HOUR_MS, MINUTE_MS, SEND_PATH } from '../helpers/constants.js'
import { API_KEY, startTestService, type TestService } from '../helpers/service.js'

const TEN_YESTERDAY = Date.parse('2026-11-20T10:00:00+08:00')
const NOON = Date.parse('2026-11-21T12:00:00+08:00')
const USER = { open_id: 'oDemo1', user_id: 9001 }

let now = TEN_YESTERDAY
/** The message that calls with an id are about. */
let deadLetter = 0
/** The delivery that calls with an id are about. */
let delivery = 0

let service: TestService
let wechat: Sandbox
let calls: Call[]
beforeAll(async () => {
  wechat = await startSandbox({ now: () => now, accounts: [DEMO_ACCOUNT] })
  service = await startTestService('sqlite', {
    env: {
      WX_API_BASE_URL: wechat.url,
      WX_APP_ID: DEMO_ACCOUNT.appId,
      WX_APP_SECRET: DEMO_ACCOUNT.secret,
      REMINDER_TEMPLATE_ID: DEMO_TEMPLATE_ID,
      REMINDER_PAGE: DEMO_PAGE,
      TEMPLATES: 'TEMPLATE-ID-OF-YOUR-ACCOUNT',
      REMINDER_DATA: JSON.stringify({ keyword1: '日领积分', keyword2: '{streak}天', keyword4: '{date}' }),
      // Nobody listens: what became of messages is written down, and waits.
      WEBHOOK_URL: 'http://127.0.0.1:1/',
      WEBHOOK_SECRET: 'whsec_c29tZXRoaW5nLXJhbmRvbS1mb3ItYS10ZXN0',
      SESSION_SECRET: 'c29tZXRoaW5nLXJhbmRvbS1mb3ItYS10ZXN0',
    },
    now: () => now,
  })
  await service.post('/v1/form-ids', {
    ...USER,
    form_id: wechat.control.issueFormId({ openId: USER.open_id }),
  })
  const signal = new AbortController().signal
  const day = { date: 20_261_120, triggeredBy: 'cron' as const, signal }
  expect(await runReminders(service.sending, service.account, day)).toMatchObject({ delivered: 1 })
  deadLetter = await makeDeadLetter()
  delivery = await findDelivery(deadLetter)
  now = NOON
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
            ...headersOf(call, i),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
        })
        expect(answer.status, `${call.name}: ${answer.text}`).toBe(status)
        const example = answers[Math.min(i, answers.length - 1)]
        expect(differences(example, answer.body), call.name).toEqual([])
      }
    }
  })
})

const RANK: Record<string, number> = { PUT: 0, POST: 1, GET: 2, DELETE: 5 }
/** An erasure leaves nothing to show. */
const LAST = 'DELETE /v1/users/{user_id}'

/** Users before their permits, what ends something last. */
function inOrder(all: Call[]): Call[] {
  const rank = ({ name, method, path }: Call): number =>
    name === LAST ? 6 : path.endsWith('/opt-out') ? (method === 'PUT' ? 3 : 4) : (RANK[method] ?? 0)
  return [...all].sort((a, b) => rank(a) - rank(b))
}

function addressOf({ path, operation }: Call): string {
  const query = new URLSearchParams()
  let address = path
  for (const parameter of operation.parameters ?? []) {
    const [example] = examplesOf(parameter)
    if (parameter.in === 'path')
      address = address.replace(`{${parameter.name}}`, String(parameter.name === 'id' ? idOf(path) : example))
    else if (parameter.in === 'query' && example !== undefined) query.set(parameter.name, String(example))
  }
  return query.size > 0 ? `${address}?${query}` : address
}

const idOf = (path: string): number => (path.startsWith('/v1/webhook-deliveries') ? delivery : deadLetter)

/** Each request has a key of its own. */
function headersOf({ operation }: Call, i: number): Record<string, string> {
  const headers = (operation.parameters ?? []).filter((parameter) => parameter.in === 'header')
  return Object.fromEntries(headers.map((header) => [header.name, `${examplesOf(header)[0]}-${i}`]))
}

/** A message that WeChat has refused for a mistake of ours, and that nobody sends any more. */
async function makeDeadLetter(): Promise<number> {
  const items = [1, 2, 3, 4].map(() => ({
    ...USER,
    form_id: wechat.control.issueFormId({ openId: USER.open_id }),
  }))
  await service.post('/v1/form-ids', { items })
  wechat.control.addFault({ kind: 'errcode', errcode: 47003, match: { path: SEND_PATH } })
  const { data } = EXAMPLE_MESSAGE
  const message = { user_id: USER.user_id, template_id: TEMPLATE, data, not_after: NOON + HOUR_MS }
  const { body } = await service.post('/v1/messages', message, { 'idempotency-key': 'dead' })
  for (let i = 0; i < 3; i++) {
    await service.of().submitted.workDue()
    now += 2 * MINUTE_MS
  }
  await service.of().submitted.stop()
  return (body as { id: number }).id
}

/** What the webhook is to be told of a message. */
async function findDelivery(messageId: number): Promise<number> {
  const [id] = await service.db('wx_webhook_delivery').where({ message_id: messageId }).pluck('id')
  return id
}

/** WeChat gives out each code for one login. */
function realCode({ operation }: Call, body: unknown): unknown {
  if (operation.operationId !== 'createSession') return body
  return { code: wechat.control.issueLoginCode({ openId: 'oDemo1' }) }
}

/**
 * Where an answer has other fields, or other types, than its example. What is empty or null in one of them says nothing
 * of the other; of a list, the first items are compared.
 */
function differences(example: unknown, real: unknown, place = ''): string[] {
  if (example === null || real === null) return []
  if (Array.isArray(example) && Array.isArray(real)) {
    const isEmpty = example.length === 0 || real.length === 0
    return isEmpty ? [] : differences(example[0], real[0], `${place}[0]`)
  }
  if (typeof example !== 'object' || typeof real !== 'object')
    return typeof example === typeof real ? [] : [`${place}: ${typeof example}, not ${typeof real}`]
  const [wanted, given] = [new Map(Object.entries(example)), new Map(Object.entries(real))]
  return [...new Set([...wanted.keys(), ...given.keys()])].flatMap((name) => {
    if (!wanted.has(name)) return [`${place}.${name}: the example lacks it`]
    if (!given.has(name)) return [`${place}.${name}: the answer lacks it`]
    return differences(wanted.get(name), given.get(name), `${place}.${name}`)
  })
}
