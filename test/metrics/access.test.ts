import { describe, expect, test } from 'vitest'
import { useService } from '../helpers/service.js'

const TOKEN = 'prometheus-reads-with-this-81f3'

describe('without METRICS_TOKEN', () => {
  const service = useService('sqlite')
  const from = (remoteAddress: string, headers: Record<string, string> = {}) =>
    service.app.inject({ url: '/metrics', remoteAddress, headers: { host: '127.0.0.1:3000', ...headers } })

  test('programs on this machine read the metrics', async () => {
    const answer = await service.request('GET', '/metrics')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(answer.text).toContain('reminder_build_info{')
  })

  test.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])('%s is this machine', async (address) => {
    expect((await from(address)).statusCode).toBe(200)
  })

  test.each(['10.0.0.7', '::ffff:10.0.0.7', 'fe80::1', '192.168.127.1'])(
    '%s is not, and is told what to do',
    async (address) => {
      const answer = await from(address)
      expect(answer.statusCode).toBe(403)
      expect(answer.json().error).toEqual({
        code: 'forbidden',
        message: expect.stringContaining('set METRICS_TOKEN'),
      })
      expect(answer.body).not.toContain('reminder_build_info')
    },
  )

  test('who claims in X-Forwarded-For to be this machine is not believed', async () => {
    expect((await from('10.0.0.7', { 'x-forwarded-for': '127.0.0.1' })).statusCode).toBe(403)
  })

  test.each(['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via'])(
    'a request that a proxy on this machine passes on, as %s tells, is refused',
    async (header) => {
      expect((await from('127.0.0.1', { [header]: '127.0.0.1' })).statusCode).toBe(403)
    },
  )

  test.each(['localhost', 'localhost:3000', 'LOCALHOST', '127.0.0.1', '[::1]:3000'])(
    'this machine may be called %s',
    async (host) => {
      expect((await from('127.0.0.1', { host })).statusCode).toBe(200)
    },
  )

  test.each(['rebound.example.com', '127.0.0.1.example.com', 'reminder.example.com:3000', '10.0.0.7'])(
    'a page in a browser here that calls it %s reads nothing',
    async (host) => {
      expect((await from('127.0.0.1', { host })).statusCode).toBe(403)
    },
  )
})

describe('with METRICS_TOKEN', () => {
  const service = useService('sqlite', { env: { METRICS_TOKEN: TOKEN, RATE_LIMITS: 'refused:5' } })
  const get = (headers: Record<string, string>, remoteAddress = '10.0.0.7') =>
    service.app.inject({ url: '/metrics', remoteAddress, headers })

  test('whoever sends it reads the metrics, from wherever and through whatever', async () => {
    const answer = await get({ authorization: `Bearer ${TOKEN}`, 'x-forwarded-for': '203.0.113.9' })
    expect(answer.statusCode).toBe(200)
    expect(answer.body).toContain('reminder_build_info{')
  })

  test('nobody else does, not even on this machine, and each is counted', async () => {
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: TOKEN }]) {
      const answer = await get(headers, '127.0.0.1')
      expect(answer.statusCode).toBe(401)
      expect(answer.json().error.message).toContain('METRICS_TOKEN')
    }
    const { body } = await get({ authorization: `Bearer ${TOKEN}` })
    expect(body).toContain('reminder_auth_failures_total{area="metrics",reason="token"} 3')
    expect(body).not.toContain(TOKEN)
  })

  test('who guesses is stopped, and backends at the same address are not', async () => {
    const guesses = await Promise.all(
      Array.from({ length: 6 }, () => get({ authorization: 'Bearer guess' }, '198.51.100.4')),
    )
    expect(guesses.map(({ statusCode }) => statusCode)).toEqual([401, 401, 401, 401, 401, 429])
    const backend = await service.app.inject({
      url: '/v1/permits?user_id=1',
      remoteAddress: '198.51.100.4',
      headers: { 'x-api-key': 'wrong-key-of-a-backend' },
    })
    expect(backend.statusCode).toBe(401)
  })

  test('an API key is no token for metrics', async () => {
    expect((await get({ 'x-api-key': TOKEN })).statusCode).toBe(401)
  })
})

test.each([
  ['short', 'needs at least 16 characters'],
  ['with a blank in the middle', 'cannot be sent in a header'],
  ['a-long-random-text', 'sample'],
])('METRICS_TOKEN=%s is refused, and not repeated', async (token, why) => {
  const { readConfig } = await import('../../src/config/read.js')
  expect(() => readConfig({ METRICS_TOKEN: token })).toThrow(why)
  expect(() => readConfig({ METRICS_TOKEN: token })).not.toThrow(token)
})
