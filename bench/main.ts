import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Command } from 'commander'
import { request } from 'undici'
import { readAccount, readConfig } from '../src/config/read.js'
import { openBase, openSending } from '../src/deps.js'
import { businessDate } from '../src/lib/business-date.js'
import { audit } from '../src/operations/audit.js'
import { expireStale } from '../src/permits/expire.js'
import { runReminders } from '../src/reminders/run.js'
import { startService } from '../src/service.js'
import { createBenchDatabase, fillPermits } from './database.js'

/**
 * Each benchmark prints one JSON object: what was done, how fast, and whether the books are right afterwards.
 */
const DAY_MS = 24 * 60 * 60 * 1000
const APP_ID = 'wxbench'
const API_KEY = 'bench-key-5e0d1c7a9f42'

const program = new Command('bench')

program
  .command('daily-run')
  .option('--database <kind>', 'mysql or sqlite', 'mysql')
  .option('--users <n>', 'users, each with three permits', '50000')
  .option('--concurrency <n>', 'requests under way', '64')
  .option('--latency <ms>', 'of the stand-in for WeChat', '0')
  .action(
    async (options: {
      database: 'mysql' | 'sqlite'
      users: string
      concurrency: string
      latency: string
    }) => {
      const users = Number(options.users)
      const database = await createBenchDatabase(options.database)
      const stub = await startScript('wechat-stub.ts', { LATENCY_MS: options.latency })
      const now = Date.now()
      await fillPermits(
        database.db,
        { appId: APP_ID, users, permitsEach: 3, expireFrom: now + 3 * DAY_MS },
        now,
      )
      const account = benchAccount()
      const config = benchConfig(database.url, {
        WX_API_BASE_URL: stub.line,
        SEND_CONCURRENCY: options.concurrency,
      })
      const base = openBase(config, account)
      const sending = openSending(base, config, account)
      let peakRss = 0
      const sampler = setInterval(() => {
        peakRss = Math.max(peakRss, process.memoryUsage().rss)
      }, 50)
      const cpuBefore = process.cpuUsage()
      const startedAt = performance.now()
      const report = await runReminders(sending, account, {
        date: businessDate(now, account.timezone),
        triggeredBy: 'manual',
        signal: new AbortController().signal,
      })
      const seconds = (performance.now() - startedAt) / 1000
      const cpu = process.cpuUsage(cpuBefore)
      clearInterval(sampler)
      const summary = (await (await request(`${stub.line}/stub/summary`)).body.json()) as {
        sent: number
        form_ids: number
      }
      const { ok } = await audit(database.db, now, false)
      print({
        ...options,
        users,
        state: report.state,
        delivered: report.delivered,
        seconds: round(seconds),
        users_per_second: Math.round(report.delivered / seconds),
        node_cpu_us_per_user: Math.round((cpu.user + cpu.system) / report.delivered),
        peak_rss_mb: Math.round(peakRss / 2 ** 20),
        requests: summary.sent,
        sent_twice: summary.sent - summary.form_ids,
        audit_ok: ok,
      })
      await sending.close()
      await base.close()
      stub.child.kill()
      await database.close()
    },
  )

program
  .command('ingest')
  .option('--database <kind>', 'mysql or sqlite', 'mysql')
  .option('--seconds <n>', 'how long', '10')
  .option('--connections <n>', 'callers, each with one request under way', '64')
  .action(async (options: { database: 'mysql' | 'sqlite'; seconds: string; connections: string }) => {
    const database = await createBenchDatabase(options.database)
    const config = benchConfig(database.url, { PORT: '0', API_KEYS: `bench:${API_KEY}`, LOG_LEVEL: 'warn' })
    const service = await startService(config, benchAccount(), { migrate: true })
    const load = await startScript('upload-load.ts', {
      URL: service.url,
      KEY: API_KEY,
      SECONDS: options.seconds,
      CONNECTIONS: options.connections,
    })
    const result: unknown = JSON.parse(load.line)
    await service.stop()
    const { ok } = await audit(database.db, Date.now(), false)
    print({ ...options, ...(result as object), audit_ok: ok })
    await database.close()
  })

program
  .command('expire')
  .option('--database <kind>', 'mysql or sqlite', 'mysql')
  .option('--users <n>', 'users, each with five stale permits', '40000')
  .action(async (options: { database: 'mysql' | 'sqlite'; users: string }) => {
    const database = await createBenchDatabase(options.database)
    const now = Date.now()
    const fill = { appId: APP_ID, users: Number(options.users), permitsEach: 5, expireFrom: now - DAY_MS }
    await fillPermits(database.db, fill, now)
    const base = openBase(benchConfig(database.url, { LOG_LEVEL: 'warn' }), benchAccount())
    const { signal } = new AbortController()
    const startedAt = performance.now()
    const sweep = { appId: APP_ID, slot: now, triggeredBy: 'manual' } as const
    const report = await expireStale({ db: base.db, log: base.log, signal }, sweep, now)
    const seconds = (performance.now() - startedAt) / 1000
    const { ok } = await audit(database.db, now, false)
    const expired = report?.expired ?? 0
    print({
      ...options,
      expired,
      seconds: round(seconds),
      permits_per_second: Math.round(expired / seconds),
      audit_ok: ok,
    })
    await base.close()
    await database.close()
  })

function benchAccount() {
  return readAccount({
    WX_APP_ID: APP_ID,
    WX_APP_SECRET: 'bench',
    REMINDER_TEMPLATE_ID: 'bench',
    REMINDER_DATA: JSON.stringify({
      keyword1: '日领积分',
      keyword2: '已经连续答题{streak}天',
      keyword4: '{date}',
    }),
    SEND_UNTIL: '23:59',
  })
}

function benchConfig(databaseUrl: string, env: Record<string, string>) {
  return readConfig({ DATABASE_URL: databaseUrl, LOG_LEVEL: 'warn', ...env })
}

/** Starts a script of this folder and waits for the first line that it prints. */
async function startScript(
  name: string,
  env: Record<string, string>,
): Promise<{ child: ChildProcess; line: string }> {
  const script = new URL(name, import.meta.url).pathname
  const child = spawn(process.execPath, ['--import', '@oxc-node/core/register', script], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout })) return { child, line }
  throw new Error(`${name} ended without a word`)
}

function print(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

function round(seconds: number): number {
  return Math.round(seconds * 100) / 100
}

await program.parseAsync()
