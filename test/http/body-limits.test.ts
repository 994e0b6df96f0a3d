import { beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.js'
import { openSocket, readAnswer } from '../helpers/raw-socket.js'
import { API_KEY } from '../helpers/service.js'
import { useSessionService } from '../helpers/sessions.js'

const KIB = 1024
const JSON_TYPE = { 'content-type': 'application/json' }

const service = useSessionService('sqlite', {
  env: { USER_IDS: 'auto', RATE_LIMITS: 'ip:unlimited,session:unlimited' },
})
let token: string
beforeEach(async () => {
  token = await service.tokenOf('oBodyLimits')
})

/** JSON of so many bytes, nested as deeply as that goes. */
const nested = (bytes: number) => `{"items":${'['.repeat(bytes / 2 - 10)}${']'.repeat(bytes / 2 - 10)}}`
const send = (method: string, path: string, body: string, credential = '') =>
  service.request(method, path, { body, headers: { ...JSON_TYPE, authorization: `Bearer ${credential}` } })

describe('a body is read up to the limit of its caller', () => {
  test.each([
    ['a login', 'POST', '/v1/sessions', () => '', 4],
    ['a sign-in with a session', 'POST', '/v1/sign-ins', () => token, 4],
    ['a sign-in with a key', 'POST', '/v1/sign-ins', () => API_KEY, 4],
    ['a binding', 'PUT', '/v1/users', () => API_KEY, 4],
    ['form_ids with a session', 'POST', '/v1/form-ids', () => token, 32],
    ['subscriptions with a session', 'POST', '/v1/subscriptions', () => token, 32],
    ['form_ids with a key', 'POST', '/v1/form-ids', () => API_KEY, 1024],
    ['subscriptions with a key', 'POST', '/v1/subscriptions', () => API_KEY, 1024],
  ])('%s', async (_, method, path, credential, kib) => {
    const within = await send(method, path, nested(kib * KIB), credential())
    expect(within.status).toBe(422)
    const beyond = await send(method, path, nested(kib * KIB + 40), credential())
    expect(beyond.status).toBe(413)
    expect(beyond.body).toMatchObject({ error: { code: 'payload_too_large' } })
  })

  test('a body is read up to the limit of its caller in chunks too, without a length', async () => {
    const head =
      'POST /v1/form-ids HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n' +
      `Authorization: Bearer ${token}\r\nTransfer-Encoding: chunked\r\n\r\n`
    const chunked = (text: string) => `${head}${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
    const right = await openSocket(service.url, chunked('{"form_id":"F-in-chunks"}'))
    expect(await right.closed).toMatch(/^HTTP\/1\.1 201 /)
    const large = await openSocket(service.url, chunked(nested(40 * KIB)))
    await eventually('an answer', async () => large.received().includes('\r\n\r\n'))
    expect(readAnswer(large.received())).toMatchObject({
      status: 413,
      body: { error: { code: 'payload_too_large' } },
    })
  })

  test('20 items with the longest fields fit into the body of a session', async () => {
    const items = Array.from({ length: 20 }, (_, i) => ({
      form_id: `${i}-`.padEnd(1_000, 'f'),
      page: 'p'.repeat(255),
      submitted_at: Date.now(),
    }))
    expect((await send('POST', '/v1/form-ids', JSON.stringify({ items }), token)).status).toBe(201)
  })
})

describe('the body of a stranger is not read', () => {
  test.each([
    ['POST', '/v1/form-ids', 401],
    ['POST', '/v1/sign-ins', 401],
    ['POST', '/v1/subscriptions', 401],
    ['PUT', '/v1/users', 401],
    ['POST', '/nothing', 404],
    ['POST', '/docs/nothing', 404],
    ['POST', '/healthz', 405],
  ])('%s %s', async (method, path, status) => {
    // No JSON, and larger than any limit: both would have another answer.
    expect((await send(method, path, '['.repeat(1024 * KIB + 1), 'wrong')).status).toBe(status)
  })
})
