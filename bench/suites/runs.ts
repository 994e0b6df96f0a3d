import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { businessDate } from '../../src/lib/business-date.js'
import { DAY_MS } from '../../src/lib/durations.js'
import { startRedisServer } from '../../test/helpers/redis-server.js'
import { APP_ID, benchAccount } from '../candidates/account.js'
import { assertCounted, assertReminded } from '../rig/books.js'
import type { BenchDatabase } from '../rig/database.js'
import { fillPermits } from '../rig/fill.js'
import { type Figures, measure } from '../rig/measure.js'
import { startScript } from '../rig/process.js'
import { type Candidate, type Rig, withScripts } from './suite.js'

const PERMITS_EACH = 3

export const today = (): number => businessDate(Date.now(), benchAccount().timezone)

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
  /** Another account of the same process, whose WeChat hangs. */
  beside?: string
}

/** A daily run by one or more processes: who sends, and what it takes from WeChat's stand-in. */
async function dailyRun({ database, processes = 1, ...options }: RunOptions): Promise<Figures> {
  const stub = startScript('rig/wechat-stub.ts', { latencyMs: options.latencyMs, hangs: options.beside })
  return withScripts([stub], async () => {
    const stubUrl = await stub.line()
    const config = { ...options, stubUrl, databaseUrl: database?.url, today: today() }
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

/** The run of this service on what the database holds, which is to reach so many users. */
export function serviceRunOn(
  database: BenchDatabase,
  users: number,
  of: Omit<RunOptions, 'script' | 'users' | 'database'>,
): Promise<Figures> {
  return dailyRun({ script: 'candidates/service-run.ts', users, database, ...of })
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
      const date = today()
      const figures = await serviceRunOn(rig[kind], users, of)
      await assertReminded(rig[kind], users, date)
      return figures
    },
  }
}

/** In the whole service: with `beside`, another account has as many users, and a WeChat that takes and never answers. */
function besideRun(name: string, beside?: string): Candidate {
  return {
    name,
    unit: 'users',
    async run({ mysql, scale }) {
      const { users } = scale
      await fillUsers(mysql, users)
      const now = Date.now()
      const other = { users, permitsEach: 1, expireFrom: now + 3 * DAY_MS }
      if (beside !== undefined) await fillPermits(mysql.db, { appId: beside, ...other }, now)
      const date = today()
      const options = { latencyMs: 0, concurrency: 64, ...(beside === undefined ? {} : { beside }) }
      const script = 'candidates/service-beside.ts'
      const figures = await dailyRun({ script, users, database: mysql, ...options })
      await assertReminded(mysql, users, date)
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
      const users = mode === 'sequential' ? scale.sequentialUsers : scale.articleUsers
      await fillUsers(mysql, users)
      const script = 'candidates/article-run.ts'
      const options = { latencyMs: 0, concurrency: 64, mode }
      const figures = await dailyRun({ script, users, database: mysql, ...options })
      await assertCounted(mysql, users * (PERMITS_EACH - 1))
      return figures
    },
  }
}

/** BullMQ's packages are installed where they are used, and not with the service. */
async function bullmqRun({ mysql, scale }: Rig, bookkeeping: boolean): Promise<Figures> {
  installPeers()
  const users = scale.bullmqUsers
  await fillUsers(mysql, users)
  const redis = await startRedisServer()
  try {
    const script = 'peers/bullmq-run.mjs'
    const options = { latencyMs: 0, concurrency: 64, bookkeeping, redisUrl: redis.url }
    const figures = await dailyRun({ script, users, database: mysql, ...options })
    await assertCounted(mysql, users * (bookkeeping ? PERMITS_EACH - 1 : PERMITS_EACH))
    return figures
  } finally {
    await redis.stop()
  }
}

function installPeers(): void {
  const folder = new URL('../peers/', import.meta.url)
  if (existsSync(new URL('node_modules/bullmq', folder))) return
  execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}

export const RUNS: Candidate[] = [
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
  besideRun('daily run in the service, alone'),
  besideRun('daily run in the service, beside one that hangs', 'wxhangs'),
  serviceRun('daily run on SQLite', { latencyMs: 0, concurrency: 64 }, 'sqlite'),
]
