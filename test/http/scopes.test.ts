import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiKey, SCOPES, type Scope } from '../../src/http/api-keys.js'
import { sha256 } from '../../src/lib/sha256.js'
import { type ApiDescription, type Call, callsOf, examplesOf, jsonOf } from '../helpers/api-description.js'
import { APP_ID } from '../helpers/constants.js'
import { startTestService, type TestService } from '../helpers/service.js'

const EXPIRY = Date.parse('2026-11-21T12:00:00Z')
let now = EXPIRY - 1

const keyOf = (text: string, more: Partial<ApiKey> = {}): ApiKey => ({
  name: 'shop',
  hash: sha256(text),
  appIds: 'all',
  scopes: SCOPES,
  expiresAt: undefined,
  ...more,
})

let service: TestService
let calls: Call[]
beforeAll(async () => {
  service = await startTestService('sqlite', {
    now: () => now,
    keys: [
      ...SCOPES.map((scope) => keyOf(`only-${scope}`, { scopes: [scope] })),
      ...SCOPES.map((scope) =>
        keyOf(`all-but-${scope}`, { scopes: SCOPES.filter((other) => other !== scope) }),
      ),
      keyOf('of-every-call'),
      keyOf('until-noon', { expiresAt: EXPIRY }),
      keyOf('its-successor', { appIds: [APP_ID] }),
      keyOf('of-another-account', { appIds: ['wxAnother'] }),
    ],
  })
  calls = callsOf((await service.request('GET', '/openapi.json')).body as ApiDescription)
})
afterAll(() => service.close())

const scopesOf = ({ operation }: Call): string[] =>
  operation.security?.flatMap(({ apiKey }) => apiKey ?? []) ?? []

function ask(
  call: Pick<Call, 'method' | 'path'> & Partial<Call>,
  key: string,
  named: { app_id?: string } = {},
) {
  const media = jsonOf(call.operation?.requestBody?.content)
  const [example] = media ? examplesOf(media) : []
  const body = example === undefined ? undefined : { ...(example as object), ...named }
  const required = call.operation?.parameters?.filter((each) => each.in === 'query' && each.required) ?? []
  const inHeader = call.operation?.parameters?.filter((each) => each.in === 'header') ?? []
  const query = new URLSearchParams({
    ...Object.fromEntries(required.map((each) => [each.name, String(examplesOf(each)[0])])),
    ...(body ? {} : named),
  })
  const path = call.path.replace(/\{(\w+)\}/g, (_, name) => (name === 'date' ? '2026-11-21' : '1'))
  return service.request(call.method, `${path}?${query}`, {
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: {
      authorization: `Bearer ${key}`,
      'idempotency-key': 'key-of-the-scopes',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...Object.fromEntries(inHeader.map((each) => [each.name, String(examplesOf(each)[0])])),
    },
  })
}

describe('the scope that a call names', () => {
  test('is one, of every call that takes a key', () => {
    const withKey = calls.filter(({ operation }) => operation.security?.some(({ apiKey }) => apiKey))
    expect(withKey.length).toBeGreaterThan(15)
    for (const call of withKey) {
      expect(scopesOf(call), call.name).toHaveLength(1)
      expect(SCOPES, call.name).toContain(scopesOf(call)[0])
    }
  })

  test('is upload for what users did, read for every question, and admin for what concerns a user for good', () => {
    const named = (scope: Scope) =>
      calls.filter((call) => scopesOf(call)[0] === scope).map(({ name }) => name)
    expect(named('upload')).toEqual(
      expect.arrayContaining([
        'POST /v1/form-ids',
        'POST /v1/subscriptions',
        'POST /v1/sign-ins',
        'PUT /v1/users',
      ]),
    )
    expect(named('admin')).toEqual(
      expect.arrayContaining([
        'PUT /v1/users/{user_id}/opt-out',
        'DELETE /v1/users/{user_id}/opt-out',
        'DELETE /v1/users/{user_id}',
      ]),
    )
    const questions = calls.filter((call) => call.method === 'GET' && scopesOf(call).length > 0)
    expect(named('read')).toEqual(questions.map(({ name }) => name))
  })

  test('is enough for the call, and without it all others are not: the answer names it', async () => {
    for (const call of calls) {
      const [scope] = scopesOf(call)
      if (scope === undefined) continue
      const refused = await ask(call, `all-but-${scope}`)
      expect(refused, call.name).toMatchObject({
        status: 403,
        body: {
          error: { code: 'forbidden', message: expect.stringContaining(`"${scope}"`), details: { scope } },
        },
      })
      const taken = await ask(call, `only-${scope}`)
      expect([401, 403], `${call.name}: ${taken.text}`).not.toContain(taken.status)
    }
  })
})

test('a key that is bound to other accounts is refused each call about this one', async () => {
  for (const call of calls.filter((each) => scopesOf(each).length > 0)) {
    const refused = await ask(call, 'of-another-account', { app_id: APP_ID })
    expect(refused, `${call.name}: ${refused.text}`).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden', message: expect.stringContaining(APP_ID) } },
    })
    const taken = await ask(call, 'its-successor', { app_id: APP_ID })
    expect([401, 403], `${call.name}: ${taken.text}`).not.toContain(taken.status)
    expect(taken.body, call.name).not.toHaveProperty('error.details.field', 'app_id')
  }
})

describe('a key with an expiry', () => {
  const question = { method: 'GET', path: '/v1/runs' }

  test('works until that moment, and is then refused with the reason; its successor of the same name works before and after', async () => {
    now = EXPIRY - 1
    expect((await ask(question, 'until-noon')).status).toBe(200)
    expect((await ask(question, 'its-successor')).status).toBe(200)
    now = EXPIRY
    expect(await ask(question, 'until-noon')).toMatchObject({
      status: 401,
      body: {
        error: {
          code: 'unauthorized',
          message: expect.stringMatching(/"shop" expired at 2026-11-21T12:00:00.000Z/),
        },
      },
    })
    expect((await ask(question, 'its-successor')).status).toBe(200)
  })

  test('is refused as a wrong one is, once too many attempts came from its address', async () => {
    now = EXPIRY + 600_000
    const fresh = await startTestService('sqlite', {
      now: () => now,
      env: { RATE_LIMITS: 'refused:3' },
      keys: [keyOf('until-noon', { expiresAt: EXPIRY })],
    })
    const statuses: number[] = []
    for (let i = 0; i < 5; i++)
      statuses.push(
        (await fresh.request('GET', '/v1/runs', { headers: { 'x-api-key': 'until-noon' } })).status,
      )
    await fresh.close()
    expect(statuses).toEqual([401, 401, 401, 429, 429])
  })
})

test.each(['', 'of-every', 'of-every-call2', sha256('of-every-call').toString('hex')])(
  'a text that is no key is refused, the hash of one too: "%s"',
  async (text) => {
    expect((await ask({ method: 'GET', path: '/v1/runs' }, text)).status).toBe(401)
  },
)
