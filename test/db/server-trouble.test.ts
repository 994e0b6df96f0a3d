import { randomBytes } from 'node:crypto'
import cron from 'node-cron'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { readAccount, readConfig } from '../../src/config/read.js'
import { openDatabase } from '../../src/db/connect.js'
import { selectRows } from '../../src/db/sql.js'
import { clearTestTiming, setTestTiming } from '../../src/lib/test-timing.js'
import { audit } from '../../src/operations/audit.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { type Service, startService } from '../../src/service.js'
import { PAGE, TEMPLATE_ID } from '../helpers/constants.js'
import { eventually } from '../helpers/eventually.js'
import { type MysqlServer, startMysqlServer } from '../helpers/mysql-server.js'
import { noonZone } from '../helpers/noon-zone.js'
import { API_KEY, SERVICE_ENV } from '../helpers/service.js'
import { openIdOf, users } from '../helpers/users.js'

// @module-tag mysql

const USERS = 120

/** The whole service with its schedule, on a server of its own that gets into trouble during the daily run. */
describe('a service in the middle of its run', () => {
  let server: MysqlServer
  let sandbox: Sandbox
  let service: Service
  let databaseUrl: string

  beforeAll(async () => {
    server = await startMysqlServer()
    setTestTiming('lease=1500,statement=1000,token=1500')
    // Minutes would be seconds of waiting; what a tick does is the same.
    const schedule = cron.schedule.bind(cron)
    vi.spyOn(cron, 'schedule').mockImplementation((expression, tick, options) =>
      schedule(expression === '* * * * *' ? '* * * * * *' : expression, tick, options),
    )
  })
  afterAll(async () => {
    clearTestTiming()
    vi.restoreAllMocks()
    await server.stop()
  })

  beforeEach(async () => {
    const name = `trouble_${randomBytes(4).toString('hex')}`
    await asRoot(
      `CREATE DATABASE ${name} CHARACTER SET utf8mb4`,
      // Without the right to write where all others may not.
      "CREATE USER IF NOT EXISTS 'service'@'127.0.0.1' IDENTIFIED BY 'service'",
      `GRANT ALL PRIVILEGES ON ${name}.* TO 'service'@'127.0.0.1'`,
    )
    const url = new URL(server.url)
    url.username = 'service'
    url.password = 'service'
    url.pathname = `/${name}`
    databaseUrl = url.href
    sandbox = await startSandbox({
      accounts: [{ appId: SERVICE_ENV.WX_APP_ID, secret: SERVICE_ENV.WX_APP_SECRET }],
    })
    // At two at once the run takes half a minute: the trouble comes in its middle.
    sandbox.control.addFault({
      kind: 'latency',
      ms: 500,
      after: 10,
      match: { path: '/cgi-bin/message/wxopen/template/send' },
    })
    const env = {
      ...SERVICE_ENV,
      DATABASE_URL: databaseUrl,
      WX_API_BASE_URL: sandbox.url,
      SEND_CONCURRENCY: '2',
      TIMEZONE: noonZone(),
      REMIND_CRON: '0 0 * * *',
      REMINDER_TEMPLATE_ID: TEMPLATE_ID,
      REMINDER_PAGE: PAGE,
    }
    service = await startService(readConfig(env), { accounts: [readAccount(env)] }, { migrate: true })
  })
  afterEach(async () => {
    await service.stop()
    await sandbox.close()
  })

  async function asRoot(...statements: string[]): Promise<void> {
    const root = openDatabase(server.url)
    try {
      for (const statement of statements) await root.raw(statement)
    } finally {
      await root.destroy()
    }
  }

  async function upload(items: object[]): Promise<{ status: number; text: string }> {
    const answer = await fetch(`${service.url}/v1/form-ids`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${API_KEY}` },
      body: JSON.stringify({ items }),
    })
    return { status: answer.status, text: await answer.text() }
  }

  const permitOf = (userId: number) => ({
    open_id: openIdOf(userId),
    user_id: userId,
    form_id: sandbox.control.issueFormId({ openId: openIdOf(userId) }),
  })

  async function ready(): Promise<string> {
    const answer = await fetch(`${service.url}/readyz`)
    const body = (await answer.json()) as { status?: string; error?: { message: string } }
    return body.error?.message ?? 'ready'
  }

  const reminded = () => sandbox.control.ledger().map(({ open_id }) => open_id)

  const TROUBLES: [string, string, () => Promise<unknown>, () => Promise<unknown>][] = [
    [
      'is killed and started again',
      'The database does not answer',
      () => server.kill(),
      () => server.restart(),
    ],
    [
      'accepts no writes',
      'The database accepts no writes',
      () => asRoot('SET GLOBAL read_only = 1'),
      () => asRoot('SET GLOBAL read_only = 0'),
    ],
    [
      'hangs and holds its connections',
      'The database does not answer',
      async () => server.freeze(),
      async () => server.thaw(),
    ],
  ]
  test.each(TROUBLES)(
    'whose server %s says so, and finishes by itself afterwards',
    async (_, says, begin, end) => {
      expect((await upload(users(1, USERS).ids.map(permitOf))).status).toBe(201)
      service.startSchedule()
      await eventually('some are reminded', () => reminded().length >= 10)
      await begin()
      try {
        await eventually('/readyz tells it', async () => (await ready()) === says)
        const refused = await upload([permitOf(1)])
        expect(refused).toEqual({ status: 503, text: expect.stringContaining(`${says}; try again shortly`) })
        expect(reminded().length).toBeLessThan(USERS)
      } finally {
        sandbox.control.clearFaults()
        await end()
      }
      await eventually('it is ready again', async () => (await ready()) === 'ready')
      await eventually('all are reminded', () => new Set(reminded()).size === USERS)
      const db = openDatabase(databaseUrl)
      await eventually('all is written down', async () => {
        const rows = await selectRows(
          db,
          "SELECT id FROM wx_push_message WHERE state IN ('queued', 'sending', 'retry')",
        )
        return rows.length === 0
      })
      expect(reminded()).toHaveLength(USERS)
      expect(await selectRows(db, 'SELECT state, COUNT(*) AS n FROM wx_push_message GROUP BY state')).toEqual(
        expect.arrayContaining([{ state: 'delivered', n: USERS }]),
      )
      expect(await audit(db, Date.now(), false)).toMatchObject({ ok: true })
      await db.destroy()
    },
  )
})
