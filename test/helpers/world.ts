import knex, { type Knex } from 'knex'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { Account } from '../../src/account.js'
import { readAccount, readConfig } from '../../src/config/read.js'
import { knexConfig } from '../../src/db/connect.js'
import { execute, selectRows } from '../../src/db/sql.js'
import { openSending, type Sending } from '../../src/deps.js'
import { businessDate } from '../../src/lib/business-date.js'
import { createLogger } from '../../src/lib/logger.js'
import { clearTestTiming, setTestTiming } from '../../src/lib/test-timing.js'
import type { UserId } from '../../src/lib/user-id.js'
import type { DeliverDeps } from '../../src/messages/delivery.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { recover } from '../../src/messages/recovery.js'
import type { Tally } from '../../src/messages/tally.js'
import { audit } from '../../src/operations/audit.js'
import { type RemindDeps, type RemindOptions, type RunReport, runReminders } from '../../src/reminders/run.js'
import { DEMO_ACCOUNT } from '../../src/sandbox/accounts.js'
import type { SandboxControl } from '../../src/sandbox/control.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import type { SendResult } from '../../src/wechat/client.js'
import { muteAuxiliary } from './auxiliary.js'
import { createClock, type TestClock } from './clock.js'
import { APP_ID, APP_SECRET, NOW, PAGE, SEND_PATH, TEMPLATE_ID } from './constants.js'
import { createTestDatabase, type Dialect, emptyTables, type TestDatabase, useDatabase } from './database.js'
import { fineTimeout } from './fine-timeouts.js'
import { insertUsers, type Users, userIdOf } from './users.js'

export const DEMO = { templateId: TEMPLATE_ID, page: PAGE }

export interface PermitRow {
  id: number
  user_id: number
  form_id: string
  template_id: string | null
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
  permit_id: number | null
  open_id: string | null
  channel: string
  data: string
  state: string
  attempts: number
  maybe_sent: number
  claim_id: number
  streak: number
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
  /** Whether it looks at templates and quotas before a run; the tests of other things do without. */
  looksFirst?: boolean
  /** What it does in place of asking WeChat. */
  send?(message: HeldMessage): Promise<SendResult>
}

/** What one process of the service has: its own pools, token, and signal to stop. */
export interface Process extends RemindDeps {
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

/** What each test has to leave behind, looked at after it. */
export type Left =
  /** The audit finds nothing. */
  | 'clean books'
  /** The audit finds nothing, and the books agree with WeChat's ledger. */
  | 'sound books'
  /** The test is about books that are not in order. */
  | 'anything'
  /** What the next test goes on with: nothing is looked at, and nothing put back. */
  | 'its rows'

/**
 * A world for the tests of a describe or of a file, which is ten o'clock, without a user, at the start of each. Its
 * database, clock and account can be held at once, its WeChat from the first hook on.
 */
export function useWorld(dialect: Dialect, { leaves = 'clean books' }: { leaves?: Left } = {}): World {
  const database = useDatabase(dialect, { keepRows: true })
  const { world, open } = makeWorld(database, APP_ID)
  beforeAll(open)
  afterAll(world.close)
  if (leaves === 'its rows') return world
  afterEach(async () => {
    try {
      if (leaves === 'clean books') await world.expectAuditClean()
      if (leaves === 'sound books') await world.expectSound()
    } finally {
      await world.reset()
    }
  })
  return world
}

/** A world made in the middle of a test: a second account on the same database, or one beside others. */
export async function createWorld(
  dialect: Dialect,
  { database: shared, appId = APP_ID }: { database?: TestDatabase; appId?: string } = {},
): Promise<World> {
  const database = shared ?? (await createTestDatabase(dialect))
  const { world, open } = makeWorld(database, appId)
  await open()
  const { close } = world
  if (!shared) world.close = () => close().finally(database.close)
  return world
}

/** A database, a WeChat and a clock, with short ways to tell what is in them and to look at it. */
function makeWorld(database: TestDatabase, appId: string): { world: World; open(): Promise<void> } {
  const { db } = database
  const clock = createClock(NOW)
  const account: Account = { ...ACCOUNT, appId }
  const logged: string[] = []
  const log = createLogger({ level: 'debug', secrets: [], output: { write: (line) => logged.push(line) } })
  const running = new Set<Process>()
  let started: Sandbox | undefined

  async function open(): Promise<void> {
    started = await startSandbox({
      now: clock.now,
      accounts: [{ ...DEMO_ACCOUNT, appId }],
    })
  }

  function sandbox(): Sandbox {
    if (!started) throw new Error('Only hooks and tests have a WeChat')
    return started
  }

  function startProcess(options: ProcessOptions = {}): Process {
    // SQLite has one connection for a reason: its driver blocks the thread, and a second one here would wait for itself.
    const sharesPool = database.url.startsWith('sqlite:') && options.poolMax === undefined
    const pool = options.db ?? (sharesPool ? db : openPool(database.url, options.poolMax))
    const own = {
      ...account,
      appSecret: options.appSecret ?? account.appSecret,
      sendConcurrency: options.concurrency ?? CONCURRENCY,
      sendRate: options.rate,
    }
    const base = { db: pool, log, now: clock.now, close: async () => {} }
    const config = readConfig({
      WX_API_BASE_URL: options.baseUrl ?? sandbox().url,
    })
    const timeout = options.timeoutMs === undefined ? undefined : fineTimeout(options.timeoutMs)
    const sending = withWechatTimeout(timeout?.ms ?? PATIENCE_MS, () => openSending(base, config, own))
    const stopped = new AbortController()
    const deps: RemindDeps = {
      ...sending,
      ...(options.looksFirst ? {} : { auxiliary: muteAuxiliary }),
      // No waiting before a retry.
      random: () => 0,
      leaseMs: options.leaseMs ?? 15_000,
      ...(options.send ? { send: whenItMayLeave(options.send) } : {}),
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
        await sending.close()
        timeout?.end()
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
    selectRows(
      db,
      `SELECT m.*, c.channel, c.data, l.lease_until, r.next_attempt_at FROM wx_push_message m
       JOIN wx_card c ON c.id = m.card_id
       LEFT JOIN wx_claim l ON l.id = m.claim_id AND m.state IN ('queued', 'sending')
       LEFT JOIN wx_message_retry r ON r.message_id = m.id
       WHERE m.app_id = ? ORDER BY m.id`,
      [appId],
    )

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
      form_id: string | null
    }>(
      db,
      `SELECT m.state, m.maybe_sent, c.channel, COALESCE(m.open_id, f.open_id) AS open_id, f.form_id
       FROM wx_push_message m JOIN wx_card c ON c.id = m.card_id
       LEFT JOIN wx_save_form_id f ON f.id = m.permit_id WHERE m.app_id = ?`,
      [appId],
    )
    // WeChat knows the permit of a form_id message; of others only whom they went to.
    const nameOf = (one: { channel: string; open_id: string; form_id: string | null }) =>
      one.channel === 'form_id' ? one.form_id : one.open_id
    const { wechat } = world
    const theirs = new Set(wechat.ledger().map(nameOf))
    const ours = new Set(rows.filter(({ state }) => state === 'delivered').map(nameOf))
    const open = new Set(rows.filter(({ maybe_sent }) => maybe_sent === 1).map(nameOf))
    expect({
      remindedTwice: wechat.summary().repeats,
      notDelivered: [...ours].filter((name) => !theirs.has(name)),
      notKnown: [...theirs].filter((name) => !ours.has(name) && !open.has(name)),
    }).toEqual({ remindedTwice: [], notDelivered: [], notKnown: [] })
  }

  const world: World = {
    db,
    database,
    get wechat() {
      return sandbox().control
    },
    get wechatUrl() {
      return sandbox().url
    },
    account,
    clock,
    logged,
    startProcess,
    has: (...stories) => {
      const now = clock.now()
      return insertUsers(
        db,
        world.wechat,
        { appId, today: businessDate(now, account.timezone), now },
        stories,
      )
    },
    permitsOf: (userId) =>
      selectRows(
        db,
        `SELECT id, user_id, form_id, template_id, expire, status, message_id, errcode FROM wx_save_form_id
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
      await execute(db, 'UPDATE wx_claim SET lease_until = 1 WHERE app_id = ?', [appId])
    },
    reminded: () => world.wechat.ledger().map(({ open_id }) => userIdOf(open_id)),
    sends: () =>
      Object.values(world.wechat.stats().answers[SEND_PATH] ?? {}).reduce((sum, answers) => sum + answers, 0),
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
      world.wechat.reset()
      clock.run(0)
      clock.set(NOW)
      logged.length = 0
    },
    close: async () => {
      await killAll()
      await started?.close()
    },
  }
  return { world, open }
}

/** What deps.ts opens in there has so much patience with WeChat. */
function withWechatTimeout(ms: number, open: () => Sending): Sending {
  setTestTiming(`http=${ms}`)
  try {
    return open()
  } finally {
    clearTestTiming()
  }
}

/** A stand-in for WeChat's client, which asks right before each request whether it may leave. */
function whenItMayLeave(send: (message: HeldMessage) => Promise<SendResult>): DeliverDeps['send'] {
  return async (message, mayLeave = async () => true) =>
    (await mayLeave()) ? send(message) : { kind: 'unreachable', reason: 'aborted' }
}

const CONCURRENCY = 16
const PATIENCE_MS = 5_000

const ACCOUNT: Account = readAccount({
  WX_APP_ID: APP_ID,
  WX_APP_SECRET: APP_SECRET,
  REMINDER_TEMPLATE_ID: TEMPLATE_ID,
  REMINDER_PAGE: PAGE,
  REMINDER_DATA: '{"keyword1":"日领积分","keyword2":"已经连续答题{streak}天","keyword4":"{date} {weekday}"}',
})

function openPool(url: string, max: number | undefined): Knex {
  const config = knexConfig(url)
  return knex(max === undefined ? config : { ...config, pool: { ...config.pool, min: 0, max } })
}
