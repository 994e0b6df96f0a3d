import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { recordedLog } from '../helpers/log.js'
import { openSocket } from '../helpers/raw-socket.js'
import { API_KEY, useService } from '../helpers/service.js'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const NEW_ID = /^[0-9a-f]{32}$/
const traceparent = (flags = '01') => ({ traceparent: `00-${TRACE}-00f067aa0ba902b7-${flags}` })

const log = recordedLog()
const service = useService('sqlite', {
  env: { LOG_LEVEL: 'debug', RATE_LIMITS: 'key:3' },
})

/** The line of the request with this id. Its answer may arrive before the line is written. */
async function lineOf(headers: Headers): Promise<Record<string, unknown> | undefined> {
  const id = headers.get('x-request-id')
  await expect.poll(() => log.lines('http.request').some(({ trace_id }) => trace_id === id)).toBe(true)
  return log.lines('http.request').find(({ trace_id }) => trace_id === id)
}

describe('every answer', () => {
  test.each([
    ['of a call', '/healthz', 200],
    ['of the description', '/openapi.json', 200],
    ['of its pages', '/docs/static/swagger-ui.css', 200],
    ['of a call without a key', '/v1/permits?user_id=1', 401],
    ['at no address', '/nowhere', 404],
    ['at an address that cannot be read', '/%zz', 400],
  ])('%s has the id of its request', async (_, path, status) => {
    const answers = [await service.request('GET', path), await service.request('GET', path)]
    expect(answers.map((answer) => answer.status)).toEqual([status, status])
    const ids = answers.map(({ headers }) => headers.get('x-request-id'))
    expect(ids).toEqual([expect.stringMatching(NEW_ID), expect.stringMatching(NEW_ID)])
    expect(new Set(ids).size).toBe(2)
  })

  test('of what is no request has one', async () => {
    const { closed } = await openSocket(service.url, 'HELLO\r\n\r\n')
    expect(await closed).toMatch(/\r\nX-Request-Id: [0-9a-f]{32}\r\n/)
  })
})

test('a caller’s traceparent names the request, in the answer and in the log', async () => {
  const { headers } = await service.request('GET', '/healthz', { headers: traceparent() })
  expect(headers.get('x-request-id')).toBe(TRACE)
  expect(await lineOf(headers)).toMatchObject({ level: 'debug', route: '/healthz', status: 200 })
})

test('a traceparent that is not valid is as good as none', async () => {
  const { headers } = await service.request('GET', '/healthz', {
    headers: { traceparent: `00-${TRACE}-0000000000000000-01` },
  })
  expect(headers.get('x-request-id')).toMatch(NEW_ID)
  expect(headers.get('x-request-id')).not.toBe(TRACE)
})

describe('the line of a refused request says why, and whose key it was', () => {
  const post = (body: object, headers = {}) => service.post('/v1/sign-ins', body, headers)

  test('for a wrong key: only why', async () => {
    const { headers } = await post({ user_id: 1 }, { authorization: 'Bearer wrong-key-of-somebody' })
    const line = await lineOf(headers)
    expect(line).toMatchObject({ level: 'info', status: 401, code: 'unauthorized' })
    expect(line).not.toHaveProperty('key')
  })

  test('for a wrong field: which one', async () => {
    const { headers } = await post({ user_id: -1 })
    expect(await lineOf(headers)).toMatchObject({
      status: 422,
      code: 'invalid_request',
      field: 'user_id',
      key: 'shop',
    })
  })

  test('for too many: the name of the key, and nowhere the key', async () => {
    let answer = await post({ user_id: 1 })
    while (answer.status === 201) answer = await post({ user_id: 1 })
    expect(await lineOf(answer.headers)).toMatchObject({
      status: 429,
      code: 'too_many_requests',
      key: 'shop',
    })
    expect(log.text()).not.toContain(API_KEY)
    expect(log.text()).not.toContain('wrong-key-of-somebody')
  })
})

test('a failure of ours tells the caller under which id the log says what happened', async () => {
  await execute(service.db, 'ALTER TABLE wx_sign_in RENAME TO wx_sign_in_away')
  const { status, headers, body } = await service
    .post('/v1/sign-ins', { user_id: 1 }, { authorization: 'Bearer key-of-the-app-93d7e0' })
    .finally(() => execute(service.db, 'ALTER TABLE wx_sign_in_away RENAME TO wx_sign_in'))
  const id = headers.get('x-request-id') ?? 'none'
  expect(status).toBe(500)
  expect(body).toEqual({ error: { code: 'internal', message: expect.stringContaining(id) } })
  expect(log.lines('http.failed')).toMatchObject([{ level: 'error', trace_id: id, code: 'internal' }])
})
