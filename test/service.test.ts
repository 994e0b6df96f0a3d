import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readAccount, readConfig } from '../src/config/read.js'
import { selectRows } from '../src/db/sql.js'
import { audit } from '../src/operations/audit.js'
import { findInstances } from '../src/operations/instances.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { type Service, startService } from '../src/service.js'
import { createClock } from './helpers/clock.js'
import { APP_ID, APP_SECRET } from './helpers/constants.js'
import {
  createEmptyDatabase,
  createTestDatabase,
  type Dialect,
  dialects,
  type TestDatabase,
} from './helpers/database.js'
import { eventually } from './helpers/eventually.js'
import { recordedLog } from './helpers/log.js'
import { API_KEY, SERVICE_ENV } from './helpers/service.js'
import { refusedUrl } from './helpers/wechat.js'

const SEND_PATH = '/cgi-bin/message/wxopen/template/send'
/** 2026-11-20 10:00 in Shanghai: when the daily run starts. */
const TEN = Date.parse('2026-11-20T10:00:00+08:00')

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const release of undo.splice(0).reverse()) await release()
})

async function keep<T>(thing: Promise<T>, release: (thing: T) => Promise<unknown>): Promise<T> {
  const kept = await thing
  undo.push(() => release(kept))
  return kept
}

const environment = (env: Record<string, string>) => ({
  ...SERVICE_ENV,
  REMINDER_TEMPLATE_ID: 'template-1',
  REMINDER_DATA: '{"keyword1":"第{streak}天"}',
  TIMEZONE: 'Asia/Shanghai',
  ...env,
})

function start(
  env: Record<string, string>,
  options: { migrate?: boolean; now?: () => number } = {},
): Promise<Service> {
  const { migrate = false, now } = options
  const all = environment(env)
  return startService(readConfig(all), { accounts: [readAccount(all)] }, { migrate, ...(now ? { now } : {}) })
}

async function post(service: Service, path: string, body: object): Promise<number> {
  const response = await fetch(service.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${API_KEY}` },
    body: JSON.stringify(body),
  })
  await response.arrayBuffer()
  return response.status
}

const openId = (userId: number) => `oUser${String(userId).padStart(23, '0')}`

/** Uploads a permit for each of so many users, as WeChat gave it to them. */
async function uploadFor(service: Service, sandbox: Sandbox, users: number): Promise<void> {
  const items = Array.from({ length: users }, (_, i) => ({
    open_id: openId(i + 1),
    user_id: i + 1,
    form_id: sandbox.control.issueFormId({ openId: openId(i + 1) }),
  }))
  expect(await post(service, '/v1/form-ids', { items })).toBe(201)
}

const log = recordedLog()

describe.each(dialects)('the service on %s', (dialect: Dialect) => {
  let database: TestDatabase
  const clock = createClock(TEN)
  beforeEach(async () => {
    clock.set(TEN)
    database = await keep(createTestDatabase(dialect), ({ close }) => close())
  })

  const sandboxed = () =>
    keep(startSandbox({ now: clock.now, accounts: [{ appId: APP_ID, secret: APP_SECRET }] }), (sandbox) =>
      sandbox.close(),
    )
  const running = (env: Record<string, string> = {}) =>
    keep(start({ DATABASE_URL: database.url, ...env }, { now: clock.now }), (service) => service.stop())
  const runs = () =>
    selectRows<{ slot: number; state: string; triggered_by: string }>(
      database.db,
      `SELECT slot, state, triggered_by FROM wx_job_run WHERE job = 'remind' ORDER BY slot`,
    )
  const remindedUsers = (sandbox: Sandbox) => sandbox.control.ledger().map((delivery) => delivery.open_id)

  test('runs the day’s reminders by its own clock once its schedule starts', async () => {
    const sandbox = await sandboxed()
    clock.set(TEN - 60_000)
    const service = await running({ WX_API_BASE_URL: sandbox.url })
    expect(await findInstances(database.db, APP_ID)).toMatchObject([{ app_id: APP_ID, alive: true }])
    await uploadFor(service, sandbox, 20)
    expect(await post(service, '/v1/sign-ins', { user_id: 7 })).toBe(201)
    clock.set(TEN)
    service.startSchedule()
    await eventually('the run is done', async () => (await runs())[0]?.state === 'done')
    expect(await runs()).toEqual([{ slot: 20261120, state: 'done', triggered_by: 'cron' }])
    const others = Array.from({ length: 20 }, (_, i) => i + 1).filter((userId) => userId !== 7)
    expect(remindedUsers(sandbox).sort()).toEqual(others.map(openId))
    expect(await audit(database.db, clock.now(), false)).toMatchObject({ ok: true })
  })

  test('started at 23:00 it records the day as missed and reminds nobody', async () => {
    const sandbox = await sandboxed()
    clock.set(TEN + 13 * 60 * 60 * 1000)
    const service = await running({ WX_API_BASE_URL: sandbox.url })
    await uploadFor(service, sandbox, 3)
    service.startSchedule()
    await eventually('the day is on record', async () => (await runs()).length > 0)
    await service.stop()
    expect(await runs()).toEqual([{ slot: 20261120, state: 'missed', triggered_by: 'catch-up' }])
    expect(remindedUsers(sandbox)).toEqual([])
  })

  test('a stop in the middle of the run gives back what was not sent, and the next start finishes', {
    tags: ['long'],
  }, async () => {
    const sandbox = await sandboxed()
    const env = { WX_API_BASE_URL: sandbox.url, SEND_CONCURRENCY: '4', LOG_LEVEL: 'info' }
    const service = await running(env)
    await uploadFor(service, sandbox, 300)
    // At four at once 300 take 15 s: the stop comes in the middle.
    sandbox.control.addFault({ kind: 'latency', ms: 200, match: { path: SEND_PATH } })
    service.startSchedule()
    await eventually('some are delivered', () => remindedUsers(sandbox).length >= 10)
    await service.stop()

    const sent = remindedUsers(sandbox).length
    expect(sent).toBeLessThan(300)
    const states = await selectRows<{ state: string; n: number }>(
      database.db,
      'SELECT state, COUNT(*) AS n FROM wx_push_message GROUP BY state',
    )
    expect(states).toHaveLength(2)
    const givenBack = states.find(({ state }) => state === 'cancelled')?.n
    expect(log.lines('service.stopped')).toMatchObject([
      { level: 'info', ms: expect.any(Number), given_back: givenBack },
    ])
    expect(await selectRows(database.db, 'SELECT instance_id FROM wx_instance')).toEqual([])
    expect(states).toContainEqual({ state: 'delivered', n: sent })
    const [counters] = await selectRows<{ permits: number }>(
      database.db,
      'SELECT SUM(count) AS permits FROM wx_message_push_status',
    )
    expect(Number(counters?.permits)).toBe(300 - sent)
    expect(await audit(database.db, clock.now(), false)).toMatchObject({ ok: true })
    expect(await runs()).toMatchObject([{ state: 'running' }])

    sandbox.control.clearFaults()
    const next = await running(env)
    next.startSchedule()
    await eventually('the run is done', async () => (await runs())[0]?.state === 'done')
    expect(remindedUsers(sandbox)).toHaveLength(300)
    expect(new Set(remindedUsers(sandbox)).size).toBe(300)
    expect(await audit(database.db, clock.now(), false)).toMatchObject({ ok: true })
  })

  test('a stop releases the port and answers what it has taken', async () => {
    const service = await running()
    const { port } = new URL(service.url)
    const uploads = Array.from({ length: 50 }, (_, i) =>
      post(service, '/v1/form-ids', { open_id: openId(i), user_id: i, form_id: `F${i}` }).catch(() => 0),
    )
    await eventually('the first uploads are stored', async () => {
      const [row] = await selectRows<{ n: number }>(database.db, 'SELECT COUNT(*) AS n FROM wx_save_form_id')
      return (row?.n ?? 0) > 0
    })
    await service.stop()
    // A call that came too late is refused or told so; none that was taken is lost or left without its answer.
    const stored = (await Promise.all(uploads)).filter((status) => status === 201)
    const [row] = await selectRows<{ n: number }>(database.db, 'SELECT COUNT(*) AS n FROM wx_save_form_id')
    expect(row?.n).toBe(stored.length)
    await expect(fetch(`${service.url}/healthz`)).rejects.toThrow()
    const again = await running({ PORT: port })
    expect(new URL(again.url).port).toBe(port)
  })

  test('a stop does not wait for ever for a client that sends half of a request', async () => {
    const env = environment({ DATABASE_URL: database.url })
    const options = { migrate: false, finishRequestsMs: 100 }
    const service = await keep(
      startService(readConfig(env), { accounts: [readAccount(env)] }, options),
      ({ stop }) => stop(),
    )
    const { hostname, port } = new URL(service.url)
    const client = connect(Number(port), hostname)
    undo.push(async () => client.destroy())
    client.on('error', () => {})
    const closed = once(client, 'close')
    const head = `POST /v1/form-ids HTTP/1.1\r\nhost: x\r\nx-api-key: ${API_KEY}\r\n`
    client.write(
      `${head}content-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n{`,
    )
    // "100 Continue" tells that the request has arrived.
    await once(client, 'data')
    await service.stop()
    await closed
  })

  test('the service is stopped once, however often and early it is told', async () => {
    const service = await running()
    await Promise.all([service.stop(), service.stop()])
    await service.stop()
    service.startSchedule()
    expect(await runs()).toEqual([])
  })

  test('the service does not start on a port that is in use, and lets go of the database', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    undo.push(() => new Promise((resolve) => other.close(resolve)))
    const { port } = other.address() as AddressInfo
    const before = await connections(database)
    await expect(start({ DATABASE_URL: database.url, PORT: String(port) })).rejects.toThrow(/EADDRINUSE/)
    await eventually('its connections are closed', async () => (await connections(database)) <= before)
    // Nothing is left behind that would keep a second try from working.
    await running()
  })
})

/** Sessions on the database as its server counts them; SQLite has none to count. */
async function connections({ db, url }: TestDatabase): Promise<number> {
  if (url.startsWith('sqlite:')) return 0
  const [row] = await selectRows<{ n: number }>(
    db,
    'SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = DATABASE()',
  )
  return row?.n ?? 0
}

describe('a database that is not up to date', () => {
  const empty = (dialect: Dialect) => keep(createEmptyDatabase(dialect), ({ close }) => close())

  test('a database that is not up to date on MySQL is refused, with what to do, and left as it is', {
    tags: ['mysql'],
  }, async () => {
    const database = await empty('mysql')
    await expect(start({ DATABASE_URL: database.url })).rejects.toThrow(
      /^This database has none of our tables: \d+ migrations are pending\. Run: npm run migrate \(or serve --migrate\)$/,
    )
    expect(await database.db.schema.hasTable('wx_save_form_id')).toBe(false)
    await eventually('its connections are closed', async () => (await connections(database)) <= 1)
  })

  test('a database that is not up to date on MySQL is migrated when that is wanted', {
    tags: ['mysql'],
  }, async () => {
    const database = await empty('mysql')
    const service = await keep(start({ DATABASE_URL: database.url }, { migrate: true }), ({ stop }) => stop())
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200)
  })

  test('a database that is not up to date on SQLite is migrated without a word', async () => {
    const database = await empty('sqlite')
    const service = await keep(start({ DATABASE_URL: database.url }), ({ stop }) => stop())
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200)
  })
})

test.each([
  [
    'that does not answer',
    async () => `${(await refusedUrl()).replace('http', 'mysql')}/reminder`,
    /ECONNREFUSED/,
  ],
  ['that cannot be made', async () => 'sqlite:/dev/null/reminder.db', /ENOTDIR|EEXIST/],
])('does not start with a database %s', async (_, url, reason) => {
  await expect(start({ DATABASE_URL: await url() })).rejects.toThrow(reason)
})
