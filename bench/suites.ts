import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { selectRows } from '../src/db/sql.js'
import { businessDate } from '../src/lib/business-date.js'
import { DAY_MS } from '../src/lib/durations.js'
import { audit } from '../src/operations/audit.js'
import { startRedisServer } from '../test/helpers/redis-server.js'
import { APP_ID, benchAccount } from './candidates/account.js'
import { type BenchDatabase, fillPermits } from './rig/database.js'
import { type Figures, measure } from './rig/measure.js'
import { type Script, startScript } from './rig/process.js'

/** How much work one round is. */
export interface Scale {
  users: number
  sequentialUsers: number
  sqliteUsers: number
  loadSeconds: number
  stalePermits: number
}

export const FULL: Scale = {
  users: 50_000,
  sequentialUsers: 5_000,
  sqliteUsers: 30_000,
  loadSeconds: 8,
  stalePermits: 200_000,
}
export const QUICK: Scale = {
  users: 5_000,
  sequentialUsers: 1_000,
  sqliteUsers: 3_000,
  loadSeconds: 2,
  stalePermits: 20_000,
}

export interface Rig {
  mysql: BenchDatabase
  sqlite: BenchDatabase
  scale: Scale
}

/** One thing that is measured. Its name is how targets find it. */
export interface Candidate {
  name: string
  /** Of what a unit is: users, uploads, permits. */
  unit: string
  run(rig: Rig): Promise<Figures>
}

const PERMITS_EACH = 3
const API_KEY = 'bench-key-5e0d1c7a9f42'

async function withScripts<T>(scripts: Script[], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    await Promise.all(scripts.map((script) => script.kill()))
  }
}

async function fillUsers(database: BenchDatabase, users: number): Promise<void> {
  const now = Date.now()
  await database.empty()
  const expireFrom = now + 3 * DAY_MS
  await fillPermits(database.db, { appId: APP_ID, users, permitsEach: PERMITS_EACH, expireFrom }, now)
}

interface RunOptions {
  script: string
  latencyMs: number
  concurrency: number
  users: number
  processes?: number
  database?: BenchDatabase
  mode?: string
  bookkeeping?: boolean
  redisUrl?: string
}

/** A daily run by one or more processes: who sends, and what it takes from WeChat's stand-in. */
async function dailyRun({ database, processes = 1, ...options }: RunOptions): Promise<Figures> {
  const stub = startScript('wechat-stub.ts', { latencyMs: options.latencyMs })
  return withScripts([stub], async () => {
    const stubUrl = await stub.line()
    const today = businessDate(Date.now(), benchAccount().timezone)
    const config = { ...options, stubUrl, databaseUrl: database?.url, today }
    const candidates = Array.from({ length: processes }, () => startScript(options.script, config))
    const figures = await Promise.all(candidates.map((candidate) => measure(candidate, database?.pid)))
    const all = together(figures)
    if (all.done !== options.users)
      throw new Error(`${options.script}: ${all.done} of ${options.users} users`)
    return all
  })
}

/** Several processes at one piece of work: it is done when the last one is. */
function together(figures: Figures[]): Figures {
  const [first] = figures
  if (!first) throw new Error('Nobody was measured')
  if (figures.length === 1) return first
  const done = figures.reduce((sum, one) => sum + one.done, 0)
  const seconds = Math.max(...figures.map((one) => one.seconds))
  const node = figures.reduce((sum, one) => sum + one.node_us * one.done, 0)
  return {
    done,
    seconds,
    per_second: done / seconds,
    node_us: node / done,
    database_us: Math.max(...figures.map((one) => (one.database_us * one.done) / done)),
    rss_mb: Math.max(...figures.map((one) => one.rss_mb)),
  }
}

/** A fast run that remembers wrong is none: every user has one delivered reminder, and the audit finds nothing. */
async function assertBooks({ db }: BenchDatabase, users: number): Promise<void> {
  const [row] = await selectRows<{ users: number }>(
    db,
    "SELECT COUNT(DISTINCT user_id) AS users FROM wx_push_message WHERE state = 'delivered'",
  )
  const { ok } = await audit(db, Date.now(), false)
  if (row?.users !== users || !ok)
    throw new Error(`${row?.users} of ${users} users were reminded, audit ${ok}`)
}

function serviceRun(
  name: string,
  of: Omit<RunOptions, 'script' | 'users'>,
  kind: 'mysql' | 'sqlite' = 'mysql',
): Candidate {
  return {
    name,
    unit: 'users',
    async run(rig) {
      const users = kind === 'sqlite' ? rig.scale.sqliteUsers : rig.scale.users
      await fillUsers(rig[kind], users)
      const figures = await dailyRun({
        script: 'candidates/service-run.ts',
        users,
        database: rig[kind],
        ...of,
      })
      await assertBooks(rig[kind], users)
      return figures
    },
  }
}

function rawRun(name: string, latencyMs: number, concurrency: number): Candidate {
  return {
    name,
    unit: 'users',
    run: ({ scale: { users } }) =>
      dailyRun({ script: 'candidates/raw-dispatch.ts', users, latencyMs, concurrency }),
  }
}

function articleRun(name: string, mode: 'unbounded' | 'sequential'): Candidate {
  return {
    name,
    unit: 'users',
    async run({ mysql, scale }) {
      const users = mode === 'sequential' ? scale.sequentialUsers : scale.users
      await fillUsers(mysql, users)
      const script = 'candidates/article-run.ts'
      return dailyRun({ script, users, database: mysql, latencyMs: 0, concurrency: 64, mode })
    },
  }
}

/** BullMQ's packages are installed where they are used, and not with the service. */
async function bullmqRun({ mysql, scale: { users } }: Rig, bookkeeping: boolean): Promise<Figures> {
  installPeers()
  await fillUsers(mysql, users)
  const redis = await startRedisServer()
  try {
    const script = 'peers/bullmq-run.mjs'
    const options = { latencyMs: 0, concurrency: 64, bookkeeping, redisUrl: redis.url }
    return await dailyRun({ script, users, database: mysql, ...options })
  } finally {
    await redis.stop()
  }
}

function installPeers(): void {
  const folder = new URL('peers/', import.meta.url)
  if (existsSync(new URL('node_modules/bullmq', folder))) return
  execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Uploads over 64 connections to whoever listens. CPU is the listener's. */
function uploads(name: string, server: string, batch = 1, kind: 'mysql' | 'sqlite' = 'mysql'): Candidate {
  return {
    name,
    unit: 'form_ids',
    async run(rig) {
      const database = rig[kind]
      await database.empty()
      const listener = startScript(server, { databaseUrl: database.url, apiKey: API_KEY })
      const url = await listener.line()
      return withScripts([listener], () => load(listener, { url, batch }, rig.scale, database.pid))
    },
  }
}

function load(
  listener: Script,
  { url, batch }: { url: string; batch: number },
  { loadSeconds }: Scale,
  databasePid: number | undefined,
): Promise<Figures> {
  const config = { url, apiKey: API_KEY, connections: 64, seconds: loadSeconds, batch }
  return measure(startScript('candidates/upload-load.ts', config), databasePid, listener)
}

const PERMITS_A_USER = 5

async function fillStale(database: BenchDatabase, permits: number): Promise<void> {
  const now = Date.now()
  await database.empty()
  const fill = {
    appId: APP_ID,
    users: permits / PERMITS_A_USER,
    permitsEach: PERMITS_A_USER,
    expireFrom: now - DAY_MS,
  }
  await fillPermits(database.db, fill, now)
}

function sweep(name: string, script: string, mode?: string): Candidate {
  return {
    name,
    unit: 'permits',
    async run({ mysql, scale }) {
      await fillStale(mysql, scale.stalePermits)
      return measure(startScript(script, { databaseUrl: mysql.url, mode }), mysql.pid)
    },
  }
}

/** Uploads while the sweep works through a backlog: what the load's callers notice of it. */
const uploadsBesideSweep: Candidate = {
  name: 'uploads beside the sweep',
  unit: 'form_ids',
  async run({ mysql, scale }) {
    await fillStale(mysql, scale.stalePermits)
    const listener = startScript('candidates/service-http.ts', { databaseUrl: mysql.url, apiKey: API_KEY })
    const url = await listener.line()
    const sweeper = startScript('candidates/service-sweep.ts', { databaseUrl: mysql.url })
    return withScripts([listener, sweeper], async () => {
      await sweeper.line()
      sweeper.tell('go')
      return load(listener, { url, batch: 1 }, scale, mysql.pid)
    })
  },
}

export const CANDIDATES: Candidate[] = [
  rawRun('raw dispatch, 0 ms', 0, 64),
  serviceRun('daily run, 0 ms', { latencyMs: 0, concurrency: 64 }),
  articleRun('article unbounded, 0 ms', 'unbounded'),
  articleRun('article sequential, 0 ms', 'sequential'),
  { name: 'BullMQ with bookkeeping, 0 ms', unit: 'users', run: (rig) => bullmqRun(rig, true) },
  { name: 'BullMQ, 0 ms', unit: 'users', run: (rig) => bullmqRun(rig, false) },
  rawRun('raw dispatch, 50 ms', 50, 512),
  serviceRun('daily run, 50 ms', { latencyMs: 50, concurrency: 512 }),
  serviceRun('daily run, 1 process', { latencyMs: 50, concurrency: 64 }),
  serviceRun('daily run, 2 processes', { latencyMs: 50, concurrency: 64, processes: 2 }),
  serviceRun('daily run, 4 processes', { latencyMs: 50, concurrency: 64, processes: 4 }),
  serviceRun('daily run on SQLite', { latencyMs: 0, concurrency: 64 }, 'sqlite'),
  uploads('bare Fastify', 'candidates/bare-fastify.ts'),
  uploads('uploads', 'candidates/service-http.ts'),
  uploads('article uploads', 'candidates/article-http.ts'),
  uploads('uploads by 100', 'candidates/service-http.ts', 100),
  uploads('uploads on SQLite', 'candidates/service-http.ts', 1, 'sqlite'),
  uploadsBesideSweep,
  sweep('sweep', 'candidates/service-sweep.ts'),
  sweep('sweep in one transaction', 'candidates/peer-sweep.ts', 'one transaction'),
  sweep('article sweep', 'candidates/peer-sweep.ts', 'article'),
]
