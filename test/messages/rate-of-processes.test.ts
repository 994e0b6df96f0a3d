import { createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { businessDate } from '../../src/lib/business-date.js'
import { CREDIT_MS } from '../../src/messages/rate.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { startCommand } from '../helpers/command-line.js'
import { APP_ID, APP_SECRET, PAGE, TEMPLATE_ID } from '../helpers/constants.js'
import { useDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { noonZone } from '../helpers/noon-zone.js'
import { freePort } from '../helpers/private-server.js'
import { type RedisServer, startRedisServer } from '../helpers/redis-server.js'
import { timed } from '../helpers/stopwatch.js'
import { insertUsers, users } from '../helpers/users.js'

// @module-tag mysql
// @module-tag programs
// @module-tag redis

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

const reachedWechat = (): number => sandbox.control.ledger().length

test('two processes on one run send no more together than SEND_RATE', async () => {
  await hasUsers(200)
  const both = [1, 2].map(() => remind({ SEND_RATE: '80', REDIS_URL: redis.url }))
  const ended = await Promise.all(both.map((process) => process.ended))
  for (const { code, stdout, stderr } of ended) {
    expect(stderr).not.toContain('rate.redis_lost')
    expect(JSON.parse(stdout)).toMatchObject({ state: 'done' })
    expect(code).toBe(0)
  }
  expect(reachedWechat()).toBe(200)
  const [run] = await selectRows<{ ms: number }>(
    database.db,
    "SELECT finished_at - started_at AS ms FROM wx_job_run WHERE job = 'remind'",
  )
  // With a rate for each it would be half of that. When the requests arrive here, a busy machine tells wrongly.
  expect(run?.ms).toBeGreaterThanOrEqual((199 / 80) * 1_000 - CREDIT_MS)
})

test('a signal ends a process at once that waits for its turn, though Redis hangs', async () => {
  await hasUsers(20)
  const process = remind({ SEND_RATE: '0.001', REDIS_URL: redis.url })
  await eventually('the first message', () => reachedWechat() === 1)
  redis.pause()
  try {
    process.kill('SIGTERM')
    // Its turn would come in a quarter of an hour.
    const { result, ms } = await timed(() => process.ended)
    const { code, stdout, stderr } = result
    expect(ms).toBeLessThan(60_000)
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
    expect(reachedWechat()).toBe(5)
    // For the access token alone, which then comes from the table.
    expect(connected.length).toBeGreaterThan(0)
  } finally {
    for (const socket of connected) socket.destroy()
    await new Promise((resolve) => listener.close(resolve))
  }
})
