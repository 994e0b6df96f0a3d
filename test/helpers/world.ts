import { randomUUID } from 'node:crypto'
import knex, { type Knex } from 'knex'
import { expect } from 'vitest'
import type { Account } from '../../src/account.js'
import { knexConfig } from '../../src/db/connect.js'
import { execute, selectRows } from '../../src/db/sql.js'
import { businessDate } from '../../src/lib/business-date.js'
import { createLogger } from '../../src/lib/logger.js'
import type { UserId } from '../../src/lib/user-id.js'
import type { DeliverDeps } from '../../src/messages/delivery.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { createRate } from '../../src/messages/rate.js'
import { recover } from '../../src/messages/recovery.js'
import { createSender } from '../../src/messages/send.js'
import type { Tally } from '../../src/messages/tally.js'
import { audit } from '../../src/operations/audit.js'
import { type RemindOptions, type RunReport, runReminders } from '../../src/reminders/run.js'
import { DEMO_APP_ID, DEMO_APP_SECRET, DEMO_PAGE, DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'
import type { SandboxControl } from '../../src/sandbox/control.js'
import { startSandbox } from '../../src/sandbox/sandbox.js'
import { createSharedToken } from '../../src/tokens/shared-token.js'
import { fetchAccessToken } from '../../src/wechat/access-token.js'
import { createWechatClient, type SendResult } from '../../src/wechat/client.js'
import { createWechatHttp } from '../../src/wechat/http.js'
import { createClock, type TestClock } from './clock.js'
import { createTestDatabase, type Dialect, emptyTables, type TestDatabase } from './database.js'
import { insertUsers, type Users, userIdOf } from './users.js'

/** Ten in the morning in Shanghai, a Friday: when the daily run starts. */
export const START = Date.parse('2026-11-20T10:00:00+08:00')
export const TODAY = 20_261_120
export const DEMO = { templateId: DEMO_TEMPLATE_ID, page: DEMO_PAGE }
export const SEND_PATH = '/cgi-bin/message/wxopen/template/send'
export const SUBSCRIBE_PATH = '/cgi-bin/message/subscribe/send'

export interface PermitRow {
  id: number
  user_id: number
  form_id: string
  expire: number
  status: number
  message_id: number | null
  errcode: number | null
}

export interface MessageRow {
  id: number
  user_id: number
  business_date: number | null
  run_id: number | null
  permit_id: number
  channel: string
  data: string
  state: string
  attempts: number
  maybe_sent: number
  fence: number
  lease_until: number | null
  next_attempt_at: number | null
  last_date_before: number
  errcode: number | null
  errmsg: string | null
  rid: string | null
}

/** Rows by table, of users where they have one. */
export type Books = Record<string, { user_id: number }[]>

/** The books of all the others. */
export function without(books: Books, userIds: number[]): Books {
  const tables = Object.entries(books)
  return Object.fromEntries(
    tables.map(([table, rows]) => [table, rows.filter(({ user_id }) => !userIds.includes(user_id))]),
  )
}

export interface ProcessOptions {
  /** Its database; default a pool of its own, on SQLite the one of the world. */
  db?: Knex
  /** Connections of its own pool at most; with it, it has a pool of its own on SQLite too. */
  poolMax?: number
  baseUrl?: string
  appSecret?: string
  concurrency?: number
  rate?: number
  leaseMs?: number
  /** How long it waits for WeChat's answer. */
  timeoutMs?: number
  /** What it does in place of asking WeChat. */
  send?(message: HeldMessage): Promise<SendResult>
}

/** What one process of the service has: its own pools, token, and signal to stop. */
export interface Process extends DeliverDeps {
  remind(options?: Partial<RemindOptions> & { account?: Partial<Account> }): Promise<RunReport>
  recover(account?: Partial<Account>): Promise<Tally>
  /** As SIGTERM does. */
  stop(): void
  /** Ends its connections, whatever it is doing. */
  kill(): Promise<void>
}

export interface World {
  db: Knex
  database: TestDatabase
  /** WeChat's control plane. */
  wechat: SandboxControl
  wechatUrl: string
  account: Account
  clock: TestClock
  logged: string[]
  startProcess(options?: ProcessOptions): Process
  has(...stories: Users[]): Promise<void>
  /** Oldest first. */
  permitsOf(userId: UserId): Promise<PermitRow[]>
  counterOf(userId: UserId): Promise<{ count: number; last_date: number } | undefined>
  messages(): Promise<MessageRow[]>
  runs(): Promise<{ id: number; slot: number; state: string; reason: string | null; delivered: number }[]>
  /** What those who died since would leave: every lease has run out. */
  lapseLeases(): Promise<void>
  /** Users in the order in which WeChat delivered to them. */
  reminded(): number[]
  /** How many sends reached WeChat, whatever it answered. */
  sends(): number
  /** The tables that giving back has to restore, without the stamps of change. */
  books(): Promise<Books>
  expectAuditClean(): Promise<void>
  /** Audit clean, and our books agree with WeChat's ledger: nobody twice, every delivery known. */
  expectSound(): Promise<void>
  /** Empty tables, a fresh WeChat, and ten o'clock again. */
  reset(): Promise<void>
  close(): Promise<void>
}

/** A database, a WeChat and a clock of their own, with short ways to tell what is in them and to look at it. */
export async function createWorld(
  dialect: Dialect,
  { database: shared, appId = DEMO_APP_ID }: { database?: TestDatabase; appId?: string } = {},
): Promise<World> {
  const database = shared ?? (await createTestDatabase(dialect))
  const { db } = database
  const clock = createClock(START)
  const sandbox = await startSandbox({
    now: clock.now,
    accounts: [
      {
        appId,
        secret: DEMO_APP_SECRET,
        templates: { [DEMO_TEMPLATE_ID]: ['keyword1', 'keyword2', 'keyword4'] },
        pages: [DEMO_PAGE],
      },
    ],
  })
  const { control: wechat } = sandbox
  const account: Account = { ...ACCOUNT, appId }
  const logged: string[] = []
  const log = createLogger({ level: 'debug', secrets: [], output: { write: (line) => logged.push(line) } })
  const running = new Set<Process>()

  function startProcess(options: ProcessOptions = {}): Process {
    // SQLite has one connection for a reason: its driver blocks the thread, and a second one here would wait for itself.
    const sharesPool = dialect === 'sqlite' && options.poolMax === undefined
    const pool = options.db ?? (sharesPool ? db : openPool(database.url, options.poolMax))
    const http = createWechatHttp({
      baseUrl: options.baseUrl ?? sandbox.url,
      connections: (options.concurrency ?? CONCURRENCY) + 1,
      headersTimeoutMs: options.timeoutMs ?? 5_000,
      bodyTimeoutMs: options.timeoutMs ?? 5_000,
    })
    const own = { ...account, appSecret: options.appSecret ?? account.appSecret }
    const tokens = createSharedToken({
      db: pool,
      appId,
      fetchToken: (signal) => fetchAccessToken(http, own, signal),
      owner: randomUUID(),
      now: clock.now,
      logger: log,
      timing: { attemptPauseMs: 2, pollFirstMs: 2, pollLastMs: 10 },
    })
    const stopped = new AbortController()
    const deps: DeliverDeps = {
      db: pool,
      log,
      now: clock.now,
      // No waiting before a retry.
      random: () => 0,
      send: options.send ? whenItMayLeave(options.send) : createSender(createWechatClient({ http, tokens })),
      leaseMs: options.leaseMs ?? 15_000,
      concurrency: options.concurrency ?? CONCURRENCY,
      rate: createRate(options.rate),
    }
    const started: Process = {
      ...deps,
      remind: ({ account: changes, ...runOptions } = {}) => {
        const mine = { ...account, ...changes }
        return runReminders(deps, mine, {
          date: businessDate(clock.now(), mine.timezone),
          triggeredBy: 'manual',
          signal: stopped.signal,
          ...runOptions,
        })
      },
      recover: (changes) => recover(deps, { ...account, ...changes }, { signal: stopped.signal }),
      stop: () => stopped.abort(),
      async kill() {
        running.delete(started)
        await tokens.close()
        await http.close()
        if (pool !== db) await pool.destroy()
      },
    }
    running.add(started)
    return started
  }

  const killAll = async (): Promise<void> => {
    for (const each of [...running]) await each.kill()
  }

  const messages = (): Promise<MessageRow[]> =>
    selectRows(db, 'SELECT * FROM wx_push_message WHERE app_id = ? ORDER BY id', [appId])

  async function expectAuditClean(): Promise<void> {
    const report = await audit(db, clock.now(), false)
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([])
  }

  async function expectSound(): Promise<void> {
    await expectAuditClean()
    const rows = await selectRows<{
      state: string
      maybe_sent: number
      channel: string
      open_id: string
      form_id: string
    }>(
      db,
      `SELECT m.state, m.maybe_sent, m.channel, m.open_id, f.form_id FROM wx_push_message m
       JOIN wx_save_form_id f ON f.id = m.permit_id WHERE m.app_id = ?`,
      [appId],
    )
    // WeChat knows the permit of a form_id message; of others only whom they went to.
    const nameOf = (one: { channel: string; open_id: string; form_id: string | null }) =>
      one.channel === 'form_id' ? one.form_id : one.open_id
    const theirs = new Set(wechat.ledger().map(nameOf))
    const ours = new Set(rows.filter(({ state }) => state === 'delivered').map(nameOf))
    const open = new Set(rows.filter(({ maybe_sent }) => maybe_sent === 1).map(nameOf))
    expect({
      remindedTwice: wechat.summary().repeats,
      notDelivered: [...ours].filter((name) => !theirs.has(name)),
      notKnown: [...theirs].filter((name) => !ours.has(name) && !open.has(name)),
    }).toEqual({ remindedTwice: [], notDelivered: [], notKnown: [] })
  }

  return {
    db,
    database,
    wechat,
    wechatUrl: sandbox.url,
    account,
    clock,
    logged,
    startProcess,
    has: (...stories) => {
      const now = clock.now()
      return insertUsers(db, wechat, { appId, today: businessDate(now, account.timezone), now }, stories)
    },
    permitsOf: (userId) =>
      selectRows(
        db,
        `SELECT id, user_id, form_id, expire, status, message_id, errcode FROM wx_save_form_id
         WHERE app_id = ? AND user_id = ? ORDER BY expire, id`,
        [appId, userId],
      ),
    counterOf: async (userId) => {
      const [row] = await selectRows<{ count: number; last_date: number }>(
        db,
        'SELECT count, last_date FROM wx_message_push_status WHERE app_id = ? AND user_id = ?',
        [appId, userId],
      )
      return row
    },
    messages,
    runs: () =>
      selectRows(
        db,
        'SELECT id, slot, state, reason, delivered FROM wx_job_run WHERE app_id = ? ORDER BY id',
        [appId],
      ),
    lapseLeases: async () => {
      await execute(
        db,
        "UPDATE wx_push_message SET lease_until = 1 WHERE app_id = ? AND state IN ('queued', 'sending')",
        [appId],
      )
    },
    reminded: () => wechat.ledger().map(({ open_id }) => userIdOf(open_id)),
    sends: () =>
      Object.values(wechat.stats().answers[SEND_PATH] ?? {}).reduce((sum, answers) => sum + answers, 0),
    books: async () => ({
      permits: await selectRows(
        db,
        `SELECT id, user_id, open_id, form_id, expire, status, message_id, errcode, created_at FROM wx_save_form_id
         WHERE app_id = ? ORDER BY id`,
        [appId],
      ),
      counters: await selectRows(
        db,
        'SELECT id, user_id, count, last_date, created_at FROM wx_message_push_status WHERE app_id = ? ORDER BY id',
        [appId],
      ),
      stops: await selectRows(db, 'SELECT * FROM wx_user WHERE app_id = ? ORDER BY open_id', [appId]),
      signIns: await selectRows(db, 'SELECT * FROM wx_sign_in WHERE app_id = ? ORDER BY user_id, day', [
        appId,
      ]),
    }),
    expectAuditClean,
    expectSound,
    reset: async () => {
      await killAll()
      await emptyTables(db)
      wechat.reset()
      clock.run(0)
      clock.set(START)
      logged.length = 0
    },
    close: async () => {
      await killAll()
      await sandbox.close()
      if (!shared) await database.close()
    },
  }
}

/** A stand-in for WeChat's client, which asks right before each request whether it may leave. */
function whenItMayLeave(send: (message: HeldMessage) => Promise<SendResult>): DeliverDeps['send'] {
  return async (message, mayLeave = async () => true) =>
    (await mayLeave()) ? send(message) : { kind: 'unreachable', reason: 'aborted' }
}

const CONCURRENCY = 16

const ACCOUNT: Omit<Account, 'appId'> = {
  appSecret: DEMO_APP_SECRET,
  channel: 'form_id',
  tokenMode: 'stable',
  userIds: 'backend',
  callback: { token: '', encodingAesKey: '', url: '' },
  templateId: DEMO_TEMPLATE_ID,
  page: DEMO_PAGE,
  data: { keyword1: '日领积分', keyword2: '已经连续答题{streak}天', keyword4: '{date} {weekday}' },
  timezone: 'Asia/Shanghai',
  remindCron: '0 10 * * *',
  expireCron: '*/20 * * * *',
  sendUntil: { hour: 22, minute: 0 },
}

function openPool(url: string, max: number | undefined): Knex {
  const config = knexConfig(url)
  return knex(max === undefined ? config : { ...config, pool: { ...config.pool, min: 0, max } })
}
