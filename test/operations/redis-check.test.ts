import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { examine } from '../../src/operations/doctor.js'
import { examineRedis } from '../../src/operations/redis-check.js'
import { pendingMigrations } from '../../src/schema.js'
import { muteAuxiliary } from '../helpers/auxiliary.js'
import { createTestDatabase } from '../helpers/database.js'
import { type RedisServer, startRedisServer } from '../helpers/redis-server.js'
import { timed } from '../helpers/stopwatch.js'

// @module-tag redis

describe('the doctor on Redis', () => {
  let server: RedisServer

  beforeAll(async () => {
    server = await startRedisServer()
  })
  afterAll(() => server.stop())

  test('says what it is used for, and how fast it answers', async () => {
    expect(await examineRedis(server.url, 50)).toEqual({
      name: 'redis',
      status: 'ok',
      reason: expect.stringMatching(/^answers in \d+ ms; shares the access token and 50 messages a second$/),
      reason_zh: expect.stringMatching(/^\d+ 毫秒内应答；共享 access_token 和每秒 50 条$/),
    })
  })

  test('says that it shares the token alone where there is no rate', async () => {
    expect(await examineRedis(server.url, undefined)).toMatchObject({
      status: 'ok',
      reason: expect.stringMatching(/^answers in \d+ ms; shares the access token$/),
    })
  })

  test('fails with a wrong password, and does not tell the right one', async () => {
    const url = new URL(server.url)
    url.password = 'wrong'
    const finding = await examineRedis(url.href, 50)
    expect(finding).toMatchObject({ status: 'fail', reason: 'refuses this service: WRONGPASS' })
    expect(finding.fix).toContain('REDIS_URL')
    url.password = ''
    expect(await examineRedis(url.href, 50)).toMatchObject({ reason: 'refuses this service: NOAUTH' })
  })

  test('warns of one that hangs, within seconds', async () => {
    server.pause()
    const { result, ms } = await timed(() => examineRedis(server.url, 50).finally(server.resume))
    expect(result).toMatchObject({ status: 'warn', fix: 'Check REDIS_URL and that Redis is running.' })
    expect(ms).toBeLessThan(5_000)
  })

  test('warns of one that is not there, and goes on with the rest', async () => {
    const database = await createTestDatabase('sqlite')
    const account = readAccount({ WX_APP_ID: 'wx1', WX_APP_SECRET: 'secret' })
    const findings = await examine({
      db: database.db,
      pendingMigrations,
      account,
      systemNow: Date.now,
      getToken: async () => 'token',
      auxiliary: muteAuxiliary,
      redis: { url: 'redis://127.0.0.1:1', sendRate: 50 },
    })
    await database.close()
    expect(findings).toContainEqual({
      name: 'redis',
      status: 'warn',
      reason:
        'cannot be reached: ECONNREFUSED; the token is shared in the table, and each process goes on with its share of SEND_RATE',
      reason_zh: '无法连接：ECONNREFUSED；token 改由数据表共享，各进程按自己的份额遵守 SEND_RATE',
      fix: 'Check REDIS_URL and that Redis is running.',
      fix_zh: '检查 REDIS_URL，并确认 Redis 正在运行。',
      finding: 'shared_rate_away',
    })
    expect(findings).toContainEqual(expect.objectContaining({ name: 'token', status: 'ok' }))
  })
})
