import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { execute, selectRows } from '../../src/db/sql.js'
import { openTokenStore } from '../../src/tokens/open-store.js'
import { createSharedToken, type SharedToken } from '../../src/tokens/shared-token.js'
import type { TokenTiming } from '../../src/tokens/timing.js'
import type { TokenStore } from '../../src/tokens/token-store.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { type RedisServer, startRedisServer } from '../helpers/redis-server.js'
import { recordQueries } from '../helpers/rows.js'
import { timed } from '../helpers/stopwatch.js'
import { fetched, recordingLogger, type TokenEndpoint, tokenEndpoint } from '../helpers/tokens.js'

// @module-tag redis

/** The lease ends only where a test waits for its end, however long the others take. */
const quick: Partial<TokenTiming> = { pollFirstMs: 2, pollLastMs: 10, leaseMs: 60_000, failurePauseMs: 10 }
const KEY = 'newer-'.repeat(7)

describe.each(dialects)('the token in Redis, over the table on %s', (dialect) => {
  const { db } = useDatabase(dialect)
  let server: RedisServer
  let wechat: TokenEndpoint
  let log: ReturnType<typeof recordingLogger>
  let appId = ''
  let opened: (() => void)[] = []
  let count = 0

  beforeAll(async () => {
    server = await startRedisServer()
  })
  afterAll(() => server.stop())
  beforeEach(() => {
    wechat = tokenEndpoint()
    log = recordingLogger()
    appId = `wx${++count}`
  })
  afterEach(() => {
    for (const close of opened) close()
    opened = []
    expect(JSON.stringify(log.lines)).not.toMatch(/token-\d|p@ss|newer/)
  })

  interface Process extends SharedToken {
    store: TokenStore
  }

  function startProcess({
    isWithoutRedis = false,
    tokenKeys = [] as string[],
    timing = {} as Partial<TokenTiming>,
  } = {}): Process {
    const redisUrl = isWithoutRedis ? undefined : server.url
    const { store, close } = openTokenStore({ db, appId, redisUrl, tokenKeys, log: log as never })
    opened.push(close)
    const owner = `process-${Math.random()}`
    const options = { store, appId, fetchToken: wechat.fetch, owner, now: () => 1_000_000, logger: log }
    return { ...createSharedToken({ ...options, timing: { ...quick, ...timing } }), store }
  }
  const withoutRedis = () => startProcess({ isWithoutRedis: true })

  async function askRedis<T>(ask: (redis: Redis, key: string) => Promise<T>): Promise<T> {
    const redis = new Redis(server.url)
    return ask(redis, `reminder:{${appId}}:token`).finally(() => redis.disconnect())
  }
  const inRedis = () => askRedis((redis, key) => redis.hgetall(key))
  const versionInTable = async () =>
    (
      await selectRows<{ version: number }>(db, 'SELECT version FROM wx_access_token WHERE app_id = ?', [
        appId,
      ])
    )[0]?.version

  test('is read there by every process after the one that fetched it, without a look at the table', async () => {
    expect(await startProcess().get()).toBe('token-1')
    const queries = recordQueries(db)
    expect(await startProcess().get()).toBe('token-1')
    expect(queries).toEqual([])
    expect(wechat.calls).toBe(1)
    expect(await askRedis((redis, key) => redis.pttl(key))).toBeGreaterThan(0)
  })

  test('is fetched once for all processes, whether they reach Redis or not', async () => {
    wechat.takesMs = 50
    const processes = Array.from({ length: 20 }, (_, i) => (i % 2 ? startProcess() : withoutRedis()))
    const tokens = await Promise.all(processes.map((process) => process.get()))
    expect(new Set(tokens)).toEqual(new Set(['token-1']))
    const again = await Promise.all(processes.map((process) => process.replace('token-1')))
    expect(new Set(again)).toEqual(new Set(['token-2']))
    expect(wechat.calls).toBe(2)
  })

  test('has its lease there: while one process fetches, the others wait without asking the table', async () => {
    const [first, second] = [startProcess(), startProcess()]
    await first.get()
    await second.get()
    const answer = wechat.nextLater()
    const fetching = first.replace('token-1')
    await eventually('it has the lease', async () => 'lease_owner' in (await inRedis()))
    await eventually('it fetches', () => wechat.calls === 2)
    const queries = recordQueries(db)
    const looks = async () => {
      const calls = /cmdstat_eval:calls=(\d+)/.exec(await askRedis((redis) => redis.info('commandstats')))
      return Number(calls?.[1])
    }
    const before = await looks()
    const waiting = second.replace('token-1')
    await eventually('the other one looks', async () => (await looks()) > before + 10)
    expect(queries).toEqual([])
    answer(fetched('token-2'))
    expect(await Promise.all([fetching, waiting])).toEqual(['token-2', 'token-2'])
    expect(await inRedis()).not.toHaveProperty('lease_owner')
  })

  test('is in the table too, so that a Redis that is killed or emptied costs no fetch', async () => {
    const process = startProcess()
    await process.get()
    await server.restart()
    expect(await startProcess().get()).toBe('token-1')
    await eventually('Redis has it again', async () => (await inRedis()).token === 'token-1')
    expect(wechat.calls).toBe(1)
  })

  test('is replaced over the table while Redis is away, and nobody goes on with the old one when it is back', async () => {
    const [one, other] = [startProcess(), startProcess()]
    await one.get()
    await other.get()
    await server.kill()
    try {
      expect(await one.replace('token-1')).toBe('token-2')
    } finally {
      await server.restart()
    }
    expect(await other.replace('token-1')).toBe('token-2')
    expect(wechat.calls).toBe(2)
    await eventually('it is back', () => log.events().includes('token.redis_back'))
    expect(log.events()).toContain('token.redis_lost')
  })

  test('comes from the table in a second or two while Redis hangs', async () => {
    await withoutRedis().get()
    const process = startProcess()
    await process.get()
    server.pause()
    const { ms } = await timed(async () => {
      expect(await process.replace('token-1')).toBe('token-2')
      expect(await startProcess().get()).toBe('token-2')
    }).finally(server.resume)
    expect(ms).toBeLessThan(4_000)
  })

  test('that a process without Redis replaced is found in the table, and mended in Redis', async () => {
    const process = startProcess()
    await process.get()
    expect(await withoutRedis().replace('token-1')).toBe('token-2')
    expect((await inRedis()).token).toBe('token-1')
    expect(await process.replace('token-1')).toBe('token-2')
    expect(wechat.calls).toBe(2)
    expect(await inRedis()).toMatchObject({ token: 'token-2', version: '2' })
  })

  test('that somebody put into Redis is replaced by that of the table, whatever version it claims', async () => {
    await startProcess().get()
    await askRedis((redis, key) => redis.hset(key, { token: 'foreign', version: 99 }))
    const process = startProcess()
    expect(await process.get()).toBe('foreign')
    expect(await process.replace('foreign')).toBe('token-1')
    expect(await inRedis()).toMatchObject({ token: 'token-1', version: '1' })
    expect(wechat.calls).toBe(1)
  })

  test('is fetched by another process once the lease of one that died in the middle has lapsed', async () => {
    const dead = startProcess({ timing: { leaseMs: 500 } })
    await dead.get()
    wechat.nextLater()
    void dead.replace('token-1').catch(() => {})
    await eventually('it fetches', () => wechat.calls === 2)
    expect(await startProcess().replace('token-1')).toBe('token-2')
    expect(await versionInTable()).toBe(2)
  })

  test('is sealed in Redis as in the table, and moves to a new key in both', async () => {
    const elder = 'elder-'.repeat(7)
    await startProcess({ tokenKeys: [elder] }).get()
    const before = await inRedis()
    expect(before.token).toMatch(/^sealed1\./)
    expect(await startProcess({ tokenKeys: [KEY, elder] }).get()).toBe('token-1')
    const process = startProcess({ tokenKeys: [KEY] })
    await execute(db, 'UPDATE wx_access_token SET lease_until = 0 WHERE app_id = ?', [appId])
    expect(await process.get()).toBe('token-1')
    expect((await inRedis()).token).not.toBe(before.token)
    expect(wechat.calls).toBe(1)
  })
})
