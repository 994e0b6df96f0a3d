import { afterEach, expect, test } from 'vitest'
import { unboundKey } from '../../src/http/api-keys.js'
import { APP_ID } from '../helpers/constants.js'
import { API_KEY, OTHER_API_KEY, startTestService, type TestService } from '../helpers/service.js'
import { type SessionService, startSessionService } from '../helpers/sessions.js'

let service: TestService | SessionService | undefined
afterEach(() => service?.close())

const keep = async <S extends TestService>(started: Promise<S>): Promise<S> => {
  const kept = await started
  service = kept
  return kept
}

/** So many calls, one after the other, and what they were answered. */
async function statuses(count: number, call: () => Promise<{ status: number }>): Promise<number[]> {
  const answers: number[] = []
  for (let i = 0; i < count; i++) answers.push((await call()).status)
  return answers
}

test('a person’s sessions together may call so often a minute; then 429 says when again', async () => {
  const { tokenOf, postAs } = await keep(
    startSessionService('sqlite', { env: { USER_IDS: 'auto', RATE_LIMITS: 'session:3' } }),
  )
  const [first, second] = [await tokenOf('oA'), await tokenOf('oA')]
  expect(await statuses(2, () => postAs(first, '/v1/sign-ins', {}))).toEqual([201, 201])
  expect(await statuses(2, () => postAs(second, '/v1/form-ids', { form_id: 'F' }))).toEqual([201, 429])
  const refused = await postAs(first, '/v1/sign-ins', {})
  expect(refused).toMatchObject({
    status: 429,
    body: { error: { code: 'too_many_requests', message: expect.stringContaining('3 requests') } },
  })
  const seconds = Number(refused.headers.get('retry-after'))
  expect(seconds).toBeGreaterThan(0)
  expect(seconds).toBeLessThanOrEqual(60)
  // The next person is counted apart.
  expect(await postAs(await tokenOf('oB'), '/v1/sign-ins', {})).toMatchObject({ status: 201 })
})

test('calls of a person without a user count too', async () => {
  const { tokenOf, postAs } = await keep(startSessionService('sqlite', { env: { RATE_LIMITS: 'session:2' } }))
  const token = await tokenOf('oA')
  expect(await statuses(3, () => postAs(token, '/v1/sign-ins', {}))).toEqual([409, 409, 429])
})

test('each API key may call so often a minute, if that is set', async () => {
  const { post } = await keep(startTestService('sqlite', { env: { RATE_LIMITS: 'key:2' } }))
  const as = (key: string) => () => post('/v1/sign-ins', { user_id: 1 }, { authorization: `Bearer ${key}` })
  expect(await statuses(3, as(API_KEY))).toEqual([201, 201, 429])
  expect(await statuses(3, as(OTHER_API_KEY))).toEqual([201, 201, 429])
  // Whoever guesses keys uses up nobody's calls.
  expect(await statuses(1, as('wrong'))).toEqual([401])
})

test('keys of one name are counted together where they are for the same accounts, and apart where not', async () => {
  const keyOf = (key: string, appIds: string[]) => ({ ...unboundKey({ name: 'backend', key }), appIds })
  const { post } = await keep(
    startTestService('sqlite', {
      env: { RATE_LIMITS: 'key:2' },
      keys: [keyOf('old', [APP_ID]), keyOf('new', [APP_ID]), keyOf('of-another', ['wxAnother'])],
    }),
  )
  const as = (key: string) => () => post('/v1/sign-ins', { user_id: 1 }, { authorization: `Bearer ${key}` })
  expect(await statuses(3, as('of-another'))).toEqual([404, 404, 429])
  expect(await statuses(1, as('old'))).toEqual([201])
  expect(await statuses(2, as('new'))).toEqual([201, 429])
})

test('an API key has no limit unless one is set', async () => {
  const { post } = await keep(startTestService('sqlite'))
  const answers = await Promise.all(Array.from({ length: 400 }, () => post('/v1/sign-ins', { user_id: 1 })))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
})

test('logins are counted by address, which only a trusted proxy may tell', async () => {
  const { request } = await keep(startSessionService('sqlite', { env: { RATE_LIMITS: 'ip:2' } }))
  const from = (forwarded: string) => () =>
    request('POST', '/v1/sessions', {
      body: '{"code":"nobody"}',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': forwarded },
    })
  expect(await statuses(3, from('198.51.100.1'))).toEqual([401, 401, 429])
  expect(await statuses(3, from('198.51.100.2'))).toEqual([401, 401, 429])
  // What stands before the address that the proxy saw was written by the caller.
  expect(await statuses(1, from('203.0.113.9, 198.51.100.1'))).toEqual([429])
  // One phone has a whole /64.
  expect(await statuses(2, from('2001:db8::1'))).toEqual([401, 401])
  expect(await statuses(1, from('2001:db8::ffff'))).toEqual([429])
})

test.each(['192.0.2.1', 'none'])(
  'a caller cannot choose an address if only %s may tell it',
  async (proxies) => {
    const { request } = await keep(
      startSessionService('sqlite', { env: { RATE_LIMITS: 'ip:2', TRUST_PROXY: proxies } }),
    )
    let host = 0
    const anywhere = () =>
      request('POST', '/v1/sessions', {
        body: '{"code":"nobody"}',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': `198.51.100.${++host}` },
      })
    expect(await statuses(3, anywhere)).toEqual([401, 401, 429])
  },
)

test('health and documentation are never limited', async () => {
  const { request } = await keep(startTestService('sqlite', { env: { RATE_LIMITS: 'session:1,key:1,ip:1' } }))
  for (const path of ['/healthz', '/readyz', '/openapi.json'])
    expect(await statuses(5, () => request('GET', path))).toEqual(Array(5).fill(200))
})
