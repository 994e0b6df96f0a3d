import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runReminders } from '../../src/reminders/run.js'
import { DEMO_ACCOUNT, DEMO_PAGE, DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { startTestService, type TestService } from '../helpers/service.js'
import { timed } from '../helpers/stopwatch.js'

const TEN = Date.parse('2026-11-20T10:00:00+08:00')
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const CALLER = '00f067aa0ba902b7'
const USER = { open_id: 'oSpansOfATest00000000000000', user_id: 9001 }

interface Span {
  name: string
  traceId: string
  spanId: string
  parentSpanId?: string
  attributes: { key: string; value: Record<string, unknown> }[]
}

interface Export {
  resourceSpans: {
    resource: { attributes: Span['attributes'] }
    scopeSpans: { spans: Span[] }[]
  }[]
}

const received: Export[] = []
let contentType: string | undefined
let collector: Server
let wechat: Sandbox
let service: TestService

beforeAll(async () => {
  collector = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    contentType = request.headers['content-type']
    if (request.url === '/v1/traces') received.push(JSON.parse(body))
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  wechat = await startSandbox({ now: () => TEN, accounts: [DEMO_ACCOUNT] })
  service = await startTestService('sqlite', {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      WX_API_BASE_URL: wechat.url,
      WX_APP_ID: DEMO_ACCOUNT.appId,
      WX_APP_SECRET: DEMO_ACCOUNT.secret,
      REMINDER_TEMPLATE_ID: DEMO_TEMPLATE_ID,
      REMINDER_PAGE: DEMO_PAGE,
      REMINDER_DATA: JSON.stringify({ keyword1: '日领积分', keyword2: '{streak}天', keyword4: '{date}' }),
    },
    now: () => TEN,
  })
})
afterAll(async () => {
  await service.close()
  await wechat.close()
  collector.close()
})

const spans = () =>
  received.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  )
const named = (name: string) => spans().filter((span) => span.name === name)
const attributesOf = (attributes: Span['attributes'] = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

test('requests, commits, claims and calls to WeChat reach a collector, in the traces of their callers', async () => {
  const formId = wechat.control.issueFormId({ openId: USER.open_id })
  const traceparent = `00-${TRACE}-${CALLER}-01`
  await service.post('/v1/form-ids', { ...USER, form_id: formId }, { traceparent })
  const alone = await service.request('GET', '/healthz')
  const { signal } = new AbortController()
  const day = { date: 20_261_120, triggeredBy: 'cron' as const, signal }
  expect(await runReminders(service.sending, service.account, day)).toMatchObject({ delivered: 1 })
  // A stop sends what is left.
  await service.stop()

  expect(contentType).toBe('application/json')
  const [resource] = received.flatMap(({ resourceSpans }) => resourceSpans)
  expect(attributesOf(resource?.resource.attributes)).toMatchObject({
    'service.name': 'sign-in-reminder',
    'service.version': expect.stringMatching(/^\d+\./),
    'service.instance.id': expect.stringMatching(/-[0-9a-f]{8}$/),
  })

  const [upload] = named('POST /v1/form-ids')
  expect(upload).toMatchObject({ traceId: TRACE, parentSpanId: CALLER })
  expect(attributesOf(upload?.attributes)).toMatchObject({
    'http.route': '/v1/form-ids',
    'http.response.status_code': 201,
  })
  const [commit] = named('permits.commit')
  expect(commit).toMatchObject({ traceId: TRACE, parentSpanId: upload?.spanId })
  expect(attributesOf(commit?.attributes)).toEqual({ requests: 1, permits: 1 })

  // Log and spans call a request alike.
  const [health] = named('GET /healthz')
  expect(health?.traceId).toBe(alone.headers.get('x-request-id'))
  expect(health?.parentSpanId ?? '').toBe('')

  expect(named('reminders.claim').map(({ attributes }) => attributesOf(attributes))).toContainEqual({
    users: 1,
  })
  const [send] = named('wechat.send')
  expect(attributesOf(send?.attributes)).toEqual({
    'message.id': 1,
    'permit.id': 1,
    permit: expect.stringMatching(/^[0-9a-f]{12}$/),
    'wechat.channel': 'form_id',
  })
  expect(send?.traceId).not.toBe(TRACE)
  expect(JSON.stringify(received)).not.toContain(USER.open_id)
  expect(JSON.stringify(received)).not.toContain(formId)
})

test('a collector that is away keeps nobody from starting, working and stopping', {
  tags: ['long'],
}, async () => {
  const lonely = await startTestService('sqlite', {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' },
  })
  expect((await lonely.request('GET', '/healthz')).status).toBe(200)
  expect((await timed(lonely.close)).ms).toBeLessThan(10_000)
})
