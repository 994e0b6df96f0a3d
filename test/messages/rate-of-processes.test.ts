import { createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { businessDate } from '../../src/lib/business-date.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { startCommand } from '../helpers/command-line.js'
import { APP_ID, APP_SECRET, PAGE, TEMPLATE_ID } from '../helpers/constants.js'
import { useDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { noonZone } from '../helpers/noon-zone.js'
import { freePort } from '../helpers/private-server.js'
import { type RedisServer, startRedisServer } from '../helpers/redis-server.js'
import { largestBurst } from '../helpers/turns.js'
import { insertUsers, users } from '../helpers/users.js'

// @module-tag mysql
// @module-tag programs
// @module-tag redis

/** Two processes of the program take their time to start on a busy machine. */
const START_MS = 60_000
vi.setConfig({ testTimeout: 2 * START_MS })

const database = useDatabase('mysql')
let redis: RedisServer
let sandbox: Sandbox

beforeAll(async () => {
  redis = await startRedisServer()
})
afterAll(() => redis.stop())
beforeEach(async () => {
  sandbox = await startSandbox({
    accounts: [
      {
        appId: APP_ID,
        secret: APP_SECRET,
        templates: { [TEMPLATE_ID]: ['keyword1'] },
        pages: [PAGE],
      },
    ],
  })
})
afterEach(() => sandbox.close())

const TIMEZONE = noonZone()

function remind(env: { SEND_RATE?: string; REDIS_URL: string }) {
  return startCommand(['remind', '--json'], {
    DATABASE_URL: database.url,
    WX_API_BASE_URL: sandbox.url,
    WX_APP_ID: APP_ID,
    WX_APP_SECRET: APP_SECRET,
    REMINDER_TEMPLATE_ID: TEMPLATE_ID,
    REMINDER_PAGE: PAGE,
    REMINDER_DATA: '{"keyword1":"日领积分"}',
    TIMEZONE,
    ...env,
  })
}

function hasUsers(count: number): Promise<void> {
  const now = Date.now()
  const today = businessDate(now, TIMEZONE)
  return insertUsers(database.db, sandbox.control, { appId: APP_ID, today, now }, [
    users(1, count).permits(1),
  ])
}

const reachedWechat = (): number[] => sandbox.control.ledger().map(({ at }) => at)

test('two processes on one run send no more together than SEND_RATE', async () => {
  await hasUsers(200)
  const both = [1, 2].map(() => remind({ SEND_RATE: '80', REDIS_URL: redis.url }))
  const ended = await Promise.all(both.map((process) => process.ended))
  for (const { code, stdout, stderr } of ended) {
    expect(stderr).not.toContain('rate.redis_lost')
    expect(JSON.parse(stdout)).toMatchObject({ state: 'done' })
    expect(code).toBe(0)
  }
  const times = reachedWechat()
  expect(times).toHaveLength(200)
  // Above a burst only what requests of the same moment are apart on their way.
  expect(largestBurst(times, 80)).toBeLessThanOrEqual(0.6 * 80)
})

test('a signal ends a process at once that waits for its turn, though Redis hangs', async () => {
  await hasUsers(20)
  const process = remind({ SEND_RATE: '0.1', REDIS_URL: redis.url })
  await eventually('the first message', () => reachedWechat().length === 1, START_MS)
  redis.pause()
  try {
    const begun = performance.now()
    process.kill('SIGTERM')
    const { code, stdout, stderr } = await process.ended
    expect(performance.now() - begun).toBeLessThan(5_000)
    expect(JSON.parse(stdout)).toMatchObject({ state: 'paused', delivered: 1 })
    expect(code).toBe(2)
    expect(stdout + stderr).not.toContain(encodeURIComponent(redis.password))
  } finally {
    redis.resume()
  }
})

test('without a limit no message waits for a Redis that answers nothing', async () => {
  await hasUsers(5)
  const port = await freePort()
  const connected: Socket[] = []
  const listener = createServer((socket) => connected.push(socket))
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
  try {
    const { code } = await remind({ SEND_RATE: 'unlimited', REDIS_URL: `redis://127.0.0.1:${port}` }).ended
    expect(code).toBe(0)
    expect(reachedWechat()).toHaveLength(5)
    // For the access token alone, which then comes from the table.
    expect(connected.length).toBeGreaterThan(0)
  } finally {
    for (const socket of connected) socket.destroy()
    await new Promise((resolve) => listener.close(resolve))
  }
})
