import { afterEach, expect, test } from 'vitest'
import { createAccounts } from '../../src/accounts.js'
import { buildApp } from '../../src/app.js'
import { readAccount, readConfig } from '../../src/config/read.js'
import { createKeyring, unboundKey } from '../../src/http/api-keys.js'
import { createLogger } from '../../src/lib/logger.js'
import { assertMigrated } from '../../src/schema.js'
import { NOW } from '../helpers/constants.js'
import { createTestDatabase } from '../helpers/database.js'
import { testMetrics } from '../helpers/metrics.js'
import { testParts } from '../helpers/parts.js'
import { API_KEY, OTHER_API_KEY, SERVICE_ENV } from '../helpers/service.js'
import { type SessionService, startSessionService } from '../helpers/sessions.js'

const LIMIT = 3

let service: SessionService | undefined
let now = NOW
afterEach(async () => {
  await service?.close()
  service = undefined
})

async function start(): Promise<SessionService> {
  now = NOW
  const env = { USER_IDS: 'auto', RATE_LIMITS: `refused:${LIMIT}` }
  service = await startSessionService('sqlite', { env, now: () => now })
  return service
}

/** What calls with each of these credentials are answered, one after the other. */
async function statuses(
  { post }: SessionService,
  credentials: string[],
  from = '203.0.113.1',
): Promise<number[]> {
  const answers: number[] = []
  for (const credential of credentials) {
    const headers = { authorization: `Bearer ${credential}`, 'x-forwarded-for': from }
    answers.push((await post('/v1/sign-ins', { user_id: 1 }, headers)).status)
  }
  return answers
}

const wrongKeys = (count: number) => Array.from({ length: count }, (_, i) => `wrong-key-${i}`)

test('wrong keys are answered 429 after a few in a minute, from their address alone', async () => {
  const started = await start()
  expect(await statuses(started, wrongKeys(LIMIT + 2))).toEqual([401, 401, 401, 429, 429])
  expect(await statuses(started, wrongKeys(1), '203.0.113.2')).toEqual([401])
  now += 60_000
  expect(await statuses(started, wrongKeys(1))).toEqual([401])
})

test('a key that is guessed then is not told from a wrong one; one that was good there before goes on', async () => {
  const started = await start()
  expect(await statuses(started, [API_KEY, ...wrongKeys(LIMIT)])).toEqual([201, 401, 401, 401])
  expect(await statuses(started, [OTHER_API_KEY, API_KEY])).toEqual([429, 201])
  expect(await statuses(started, [OTHER_API_KEY], '203.0.113.2')).toEqual([201])
  now += 60_000
  expect(await statuses(started, [OTHER_API_KEY])).toEqual([201])
})

test('wrong sessions count too, and a right one is taken all the same', async () => {
  const started = await start()
  const token = await started.tokenOf('oFailures')
  const forged = `${token.slice(0, -4)}AAAA`
  expect(await statuses(started, Array(LIMIT + 1).fill(forged))).toEqual([401, 401, 401, 429])
  const as = { authorization: `Bearer ${token}`, 'x-forwarded-for': '203.0.113.1' }
  expect((await started.post('/v1/sign-ins', {}, as)).status).toBe(201)
})

test('one phone has a whole /64 of addresses, and an IPv4 one in IPv6 is its own', async () => {
  const started = await start()
  await statuses(started, wrongKeys(LIMIT), '2001:db8:0:7::1')
  expect(await statuses(started, wrongKeys(1), '2001:db8:0:7:ffff:1:2:3')).toEqual([429])
  expect(await statuses(started, wrongKeys(1), '2001:db8::7:0:0:1')).toEqual([401])
  await statuses(started, wrongKeys(LIMIT), '::ffff:203.0.113.5')
  expect(await statuses(started, wrongKeys(1), '203.0.113.5')).toEqual([429])
  expect(await statuses(started, wrongKeys(1), '::ffff:203.0.113.6')).toEqual([401])
})

test('the log has a line a minute about them, however many there are', async () => {
  const { db, close } = await createTestDatabase('sqlite')
  const lines: Record<string, unknown>[] = []
  const output = { write: (line: string) => lines.push(JSON.parse(line)) }
  now = NOW
  const app = await buildApp({
    db,
    assertMigrated,
    accounts: createAccounts([readAccount(SERVICE_ENV)]),
    ...readConfig(SERVICE_ENV),
    keys: createKeyring(readConfig(SERVICE_ENV).apiKeys.map(unboundKey)),
    partsOf: () => testParts(db),
    metrics: testMetrics(),
    log: createLogger({ level: 'warn', secrets: [], output }),
    now: () => now,
  })
  const fail = () =>
    app.inject({ method: 'POST', url: '/v1/sign-ins', headers: { 'x-api-key': 'a-wrong-key-0001' } })
  for (let i = 0; i < 10; i++) await fail()
  now += 60_000
  await fail()
  expect(lines).toMatchObject([
    { event: 'auth.failed', reason: 'key', address: '127.0.0.1', failures: 1 },
    { event: 'auth.failed', failures: 10 },
  ])
  expect(JSON.stringify(lines)).not.toContain('a-wrong-key')
  await app.close()
  await close()
})
