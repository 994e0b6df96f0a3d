import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { Account } from '../../src/account.js'
import { readAccount, readConfig } from '../../src/config/read.js'
import { selectRows } from '../../src/db/sql.js'
import { businessDate } from '../../src/lib/business-date.js'
import { clearTestTiming, setTestTiming } from '../../src/lib/test-timing.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { type Service, startService } from '../../src/service.js'
import { createClock, type TestClock } from './clock.js'
import { NOW, TEMPLATE_ID } from './constants.js'
import { type Dialect, type TestDatabase, useDatabase } from './database.js'
import { type FineTimeout, fineTimeout } from './fine-timeouts.js'
import { API_KEY, SERVICE_ENV } from './service.js'
import { insertUsers, type Users } from './users.js'
import { startWechatRouter, type WechatRouter } from './wechat-router.js'

/** An inherited mini-program and one of today. */
export const A: Account = accountOf({ WX_APP_ID: 'wxAlpha', WX_CHANNEL: 'form_id' })
export const B: Account = accountOf({ WX_APP_ID: 'wxBeta', WX_CHANNEL: 'subscribe' })

function accountOf(env: Record<string, string>): Account {
  return readAccount({
    WX_APP_SECRET: `secret-of-${env.WX_APP_ID}-0001`,
    REMINDER_TEMPLATE_ID: TEMPLATE_ID,
    REMINDER_DATA: '{"thing1":"每日签到"}',
    SEND_CONCURRENCY: '8',
    ...env,
  })
}

export interface TwoAccounts {
  readonly service: Service
  readonly router: WechatRouter
  readonly database: TestDatabase
  readonly clock: TestClock
  /** The WeChat of an account. */
  wechatOf(account: Account): Sandbox
  /** Starts the service; it is stopped after the test. */
  start(accounts?: Account[], env?: Record<string, string>): Promise<Service>
  has(account: Account, ...stories: Users[]): Promise<void>
  call(method: string, path: string, body?: object): Promise<{ status: number; body: unknown; text: string }>
  /** The newest daily run of an account. */
  run(account: Account): Promise<{ id: number; state: string; reason: string | null } | undefined>
  states(account: Account): Promise<Record<string, number>>
}

/** A service in front of two WeChats, and a database that is empty before each test. */
export function useTwoAccounts(dialect: Dialect): TwoAccounts {
  const database = useDatabase(dialect)
  const { db } = database
  const clock = createClock(NOW)
  const sandboxes = new Map<string, Sandbox>()
  let router: WechatRouter | undefined
  let service: Service | undefined
  let patience: FineTimeout | undefined

  beforeAll(async () => {
    for (const { appId, appSecret: secret } of [A, B]) {
      const accounts = [{ appId, secret, templates: { [TEMPLATE_ID]: ['thing1'] } }]
      sandboxes.set(appId, await startSandbox({ now: clock.now, accounts }))
    }
  })
  afterAll(async () => {
    for (const sandbox of sandboxes.values()) await sandbox.close()
  })
  beforeEach(async () => {
    // A hanging WeChat is given up within a second or so; one that answers slowly on a busy machine is not.
    patience = fineTimeout(1_000)
    setTestTiming(`http=${patience.ms}`)
    clock.run(0)
    clock.set(NOW)
    for (const { control } of sandboxes.values()) control.reset()
    router = await startWechatRouter(
      Object.fromEntries([...sandboxes].map(([appId, sandbox]) => [appId, sandbox.url])),
    )
  })
  afterEach(async () => {
    await service?.stop()
    service = undefined
    await router?.close()
    patience?.end()
    clearTestTiming()
  })

  const two: TwoAccounts = {
    get service() {
      if (!service) throw new Error('The service has not been started')
      return service
    },
    get router() {
      if (!router) throw new Error('Only tests have a WeChat')
      return router
    },
    database,
    clock,
    wechatOf({ appId }) {
      const sandbox = sandboxes.get(appId)
      if (!sandbox) throw new Error(`There is no WeChat for ${appId}`)
      return sandbox
    },
    async start(accounts = [A, B], env = {}) {
      const settings = { ...SERVICE_ENV, DATABASE_URL: database.url, WX_API_BASE_URL: two.router.url, ...env }
      service = await startService(readConfig(settings), { accounts }, { migrate: true, now: clock.now })
      return service
    },
    has(account, ...stories) {
      const { appId, timezone } = account
      const now = clock.now()
      const today = businessDate(now, timezone)
      return insertUsers(db, two.wechatOf(account).control, { appId, today, now }, stories)
    },
    async call(method, path, body) {
      const response = await fetch(two.service.url + path, {
        method,
        redirect: 'manual',
        headers: {
          authorization: `Bearer ${API_KEY}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      const text = await response.text()
      const isJson = /^application\/json/.test(response.headers.get('content-type') ?? '')
      return { status: response.status, text, body: isJson ? JSON.parse(text) : undefined }
    },
    async run({ appId }) {
      const [newest] = await selectRows<{ id: number; state: string; reason: string | null }>(
        db,
        `SELECT id, state, reason FROM wx_job_run WHERE job = 'remind' AND app_id = ? ORDER BY id DESC`,
        [appId],
      )
      return newest
    },
    async states({ appId }) {
      const rows = await selectRows<{ state: string; n: number }>(
        db,
        'SELECT state, COUNT(*) AS n FROM wx_push_message WHERE app_id = ? GROUP BY state',
        [appId],
      )
      return Object.fromEntries(rows.map(({ state, n }) => [state, Number(n)]))
    },
  }
  return two
}
