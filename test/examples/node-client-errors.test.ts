import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createReminderClient, type ReminderClient } from '../../examples/node-client/client.js'
import { ReminderError } from '../../examples/node-client/errors.js'
import { API_KEY, useService } from '../helpers/service.js'
import {
  type Behaviour,
  cutBeforeAnswer,
  json,
  startWechatStub,
  text,
  type WechatStub,
} from '../helpers/wechat.js'

const MESSAGE = { user_id: 1, template_id: 'template-1', data: { keyword1: 'text' } }
const SIGNED_IN = json({ date: '2026-11-21', streak: 1 }, 201)
const failure = (code: string) => JSON.stringify({ error: { code, message: 'later' } })
const refused =
  (status: number, code: string, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(failure(code))

async function failureOf(call: Promise<unknown>): Promise<ReminderError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof ReminderError)) throw new Error(`not a ReminderError: ${error}`)
  return error
}

describe('the client, when a request fails,', () => {
  let stub: WechatStub
  let waits: number[]
  let client: ReminderClient
  beforeEach(async () => {
    stub = await startWechatStub()
    waits = []
    const patience = {
      random: () => 0.5,
      wait: async (ms: number) => void waits.push(ms),
    }
    client = createReminderClient({ baseUrl: stub.url, apiKey: 'key', patience })
    return () => stub.close()
  })

  test('sends the same again after 429 and 503, as late as Retry-After says and a little later', async () => {
    stub.next(
      refused(429, 'too_many_requests', { 'retry-after': '8' }),
      refused(503, 'not_ready', { 'retry-after': '4' }),
      json({ id: 7, state: 'queued' }, 202),
    )
    expect(await client.submitMessage(MESSAGE)).toEqual({ id: 7, state: 'queued' })
    expect(waits).toEqual([9_000, 4_500])
    const [first, ...others] = stub.asked.map(({ headers, body }) => [headers['idempotency-key'], body])
    expect(first).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), JSON.stringify(MESSAGE)])
    expect(others).toEqual([first, first])
  })

  test('takes a new key for each call, or the one that it is given', async () => {
    stub.otherwise(json({ id: 7, state: 'queued' }, 202))
    for (const key of [undefined, undefined, 'order-1']) await client.submitMessage(MESSAGE, key)
    const [first, second, third] = stub.asked.map(({ headers }) => headers['idempotency-key'])
    expect(first).not.toBe(second)
    expect(third).toBe('order-1')
  })

  test('sends the same again when the line breaks before an answer', async () => {
    stub.next(cutBeforeAnswer, SIGNED_IN)
    expect(await client.recordSignIn({ user_id: 1 })).toEqual({ date: '2026-11-21', streak: 1 })
    expect(waits).toEqual([250])
  })

  test('gives up after four requests, and says why', async () => {
    stub.otherwise(refused(503, 'overloaded', { 'retry-after': '1', 'x-request-id': 'a1' }))
    expect(await failureOf(client.recordSignIn({ user_id: 1 }))).toMatchObject({
      code: 'overloaded',
      status: 503,
      message: 'later',
      requestId: 'a1',
    })
    expect(stub.asked).toHaveLength(4)
    stub.otherwise(cutBeforeAnswer)
    const error = await failureOf(client.recordSignIn({ user_id: 1 }))
    expect(error).toMatchObject({ code: 'no_answer', message: 'POST /v1/sign-ins was not answered' })
    expect(error.cause).toBeInstanceOf(Error)
    expect(stub.asked).toHaveLength(8)
  })

  test('does not wait for an hour', async () => {
    stub.next(refused(429, 'too_many_requests', { 'retry-after': '3600' }))
    expect(await failureOf(client.recordSignIn({ user_id: 1 }))).toMatchObject({ code: 'too_many_requests' })
    expect(waits).toEqual([])
  })

  test("tells a proxy's page from an answer of the service", async () => {
    stub.next(text('<h1>Bad gateway</h1>', 502))
    expect(await failureOf(client.recordSignIn({ user_id: 1 }))).toMatchObject({
      code: 'unclear_answer',
      status: 502,
    })
    stub.next(text('<h1>Log in to this network</h1>', 200))
    expect(await failureOf(client.recordSignIn({ user_id: 1 }))).toMatchObject({
      code: 'unclear_answer',
      status: 200,
    })
    expect(stub.asked).toHaveLength(2)
  })
})

describe('the client of a service', () => {
  const service = useService('sqlite')
  let client: ReminderClient
  beforeAll(() => {
    client = createReminderClient({ baseUrl: service.url, apiKey: API_KEY })
  })

  test('knows the fields of a call, and says what the service finds wrong with others', async () => {
    // @ts-expect-error: a name that is only near does not compile.
    const error = await failureOf(client.recordSignIn({ userId: 1 }))
    expect(error).toMatchObject({
      code: 'invalid_request',
      status: 422,
      details: { field: 'userId' },
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
    expect(error.message).toContain('did you mean "user_id"?')
  })

  test('throws the same errors for calls without a function of their own', async () => {
    const stranger = createReminderClient({ baseUrl: service.url, apiKey: 'wrong' })
    expect(await failureOf(stranger.api.GET('/v1/runs', {}))).toMatchObject({
      code: 'unauthorized',
      status: 401,
    })
    const { data } = await client.api.GET('/v1/runs', {})
    expect(data).toMatchObject({ runs: [] })
  })
})
