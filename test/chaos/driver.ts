import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import knex, { type Knex } from 'knex'
import { knexConfig, openDatabase } from '../../src/db/connect.js'
import { migrateLatest } from '../../src/db/migrate.js'
import { execute, selectRows } from '../../src/db/sql.js'
import type { Failpoint } from '../../src/lib/failpoint.js'
import { DEMO_APP_ID, DEMO_APP_SECRET, DEMO_PAGE, DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'
import type { Delivery } from '../../src/sandbox/ledger.js'
import { startSandbox } from '../../src/sandbox/sandbox.js'
import { type MysqlServer, startMysqlServer } from '../helpers/mysql-server.js'
import { findViolations, type Violations } from './check.js'
import { type Child, type Ending, endsWithin, startChild } from './child.js'
import { EndingsWatch } from './endings.js'
import { mixedFaults } from './faults.js'
import { createLuck, type Luck } from './luck.js'
import { ResumeWatch } from './resume.js'
import { Uploader } from './uploads.js'

export interface ChaosOptions {
  database: 'mysql' | 'sqlite'
  kills: number
  seed: number
  /** Built command line, see program.ts. */
  main: string
  /** Places for processes that serve or remind; an `expire` now and then comes on top. */
  processes: number
  /** Share of the calls to WeChat that are struck. */
  faultRate: number
  /** Keeps traces and tables even if all is well. */
  keep?: boolean
  onProgress?(kills: number): void
  /** Gives up, and says so, after this time. */
  timeoutMs?: number
}

export interface ChaosReport {
  ok: boolean
  seed: number
  database: string
  processes: number
  fault_rate: number
  violations: Violations
  /** What kept the driver itself from its end, if anything did. */
  trouble: string[]
  kills: number
  /** Of the kills, those at a named failpoint, by name. */
  killed_at: Record<string, number>
  freezes: number
  frozen_at: Record<string, number>
  terminations: number
  database_restarts: number
  starts: number
  messages: Record<string, number>
  delivered_by_wechat: number
  users: number
  uploads: { requests: number; unanswered: number; stored: number; duplicates: number }
  faults: Record<string, number>
  lease_ms: number
  /** From a kill to the takeover of the first, and of the last, message that it left. */
  resume: ReturnType<ResumeWatch['summary']>
  seconds: number
  /** Where traces and tables are, after a violation. */
  folder?: string
}

const LEASE_MS = 2_000
const TEST_TIMING = `lease=${LEASE_MS},http=300,backoff=0.02,token=500`
const API_KEY = 'chaos-key'
const FIRST_USERS = 150
/** A failpoint that is not come to by then is given up, and the process killed where it is. */
const PATIENCE_MS = 4_000
const LOOK_MS = 25
const FINISH_TIMEOUT_MS = 120_000
const MAX_FINISHING_RUNS = 30

type Role = 'serve' | 'remind' | 'expire'

/** What is to become of a process. */
interface Fate {
  kind: 'kill' | 'freeze' | 'terminate' | 'spare'
  /** At a failpoint's hit, or so long after the start, or after it began to work. */
  at: { failpoint: Failpoint; hit: number } | { ms: number; after: 'start' | 'first word' }
}

/** Where a role can come to, and at most at which hit it is struck there. */
const PLACES: Record<Role, Partial<Record<Failpoint, number>>> = {
  serve: {
    'ingest.in_transaction': 8,
    'take_over.committed': 2,
    'send.before': 10,
    'send.after': 10,
    'settle.in_transaction': 3,
    'settle.committed': 3,
  },
  remind: {
    'claim.committed': 3,
    'send.before': 40,
    'send.after': 40,
    'settle.in_transaction': 8,
    'settle.committed': 8,
    'give_back.in_transaction': 1,
    'next_permit.in_transaction': 2,
    'take_over.committed': 3,
    'token.fetched': 1,
  },
  expire: { 'expire.in_transaction': 1 },
}

/**
 * Runs real processes of the command line against one database and a simulated WeChat that fails, kills, freezes and
 * restarts them and the database until there were so many kills, and then compares the books. The seed decides every
 * plan; which process comes to which place first is the machine's.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const folder = mkdtempSync(join(tmpdir(), `reminder-chaos-${options.database}-`))
  const undo: (() => unknown)[] = [() => {}]
  try {
    const report = await play(options, folder, undo)
    if (report.folder === undefined) rmSync(folder, { recursive: true, force: true })
    return report
  } finally {
    for (const release of undo.reverse()) await release()
  }
}

async function play(options: ChaosOptions, folder: string, undo: (() => unknown)[]): Promise<ChaosReport> {
  const startedAt = performance.now()
  const { seed, main, faultRate, processes } = options
  const deadline = startedAt + (options.timeoutMs ?? 60_000 + options.kills * 5_000)
  const { url, server } = await createDatabase(options.database, folder, undo)
  const db = openForLooking(url)
  undo.push(() => db.destroy())
  await migrateLatest(db, () => {}, DEMO_APP_ID)
  const sandbox = await startSandbox({ seed })
  undo.push(sandbox.close)
  const wechat = sandbox.control
  const ports = await Promise.all(Array.from({ length: Math.max(1, processes - 1) }, freePort))
  const uploader = new Uploader(wechat, createLuck(seed, 'uploads'), {
    appId: DEMO_APP_ID,
    apiKey: API_KEY,
    urls: ports.slice(0, 1).map((port) => `http://127.0.0.1:${port}`),
  })
  const watch = new ResumeWatch()
  const endings = new EndingsWatch()
  const children = new Set<Child>()
  const count = { kills: 0, freezes: 0, terminations: 0, database_restarts: 0, starts: 0 }
  const killedAt: Record<string, number> = {}
  const frozenAt: Record<string, number> = {}
  const trouble: string[] = []

  const trace = (line: string): void =>
    appendFileSync(join(folder, 'trace.log'), `${new Date().toISOString()} ${line}\n`)
  const isOver = (): boolean =>
    count.kills >= options.kills || trouble.length > 0 || performance.now() > deadline

  function killAll(): void {
    for (const child of children) if (!child.ending) child.signal('SIGKILL')
  }
  process.on('exit', killAll)
  undo.push(() => {
    process.off('exit', killAll)
    killAll()
  })

  function start(role: Role, args: string[], port: number, failpoints: string): Child & { name: string } {
    const name = `${String(++count.starts).padStart(5, '0')}-${role}`
    const env = {
      PATH: process.env.PATH,
      DATABASE_URL: url,
      PORT: String(port),
      LOG_LEVEL: 'debug',
      API_KEYS: `chaos:${API_KEY}`,
      WX_API_BASE_URL: sandbox.url,
      WX_APP_ID: DEMO_APP_ID,
      WX_APP_SECRET: DEMO_APP_SECRET,
      REMINDER_TEMPLATE_ID: DEMO_TEMPLATE_ID,
      REMINDER_PAGE: DEMO_PAGE,
      REMINDER_DATA: '{"keyword1":"日领积分","keyword2":"{streak}","keyword4":"{date}"}',
      TIMEZONE: zoneWhereItIsNoon(),
      SEND_UNTIL: '23:59',
      SEND_CONCURRENCY: '16',
      REMINDER_FAILPOINTS: failpoints,
      REMINDER_TEST_TIMING: TEST_TIMING,
    }
    const child = startChild(main, args, env, join(folder, name))
    trace(`start ${name} pid=${child.pid} ${failpoints}`)
    children.add(child)
    void child.ended.then(({ code, signal }) => {
      children.delete(child)
      trace(`end ${name} ${signal ?? `exit ${code}`}`)
    })
    return Object.assign(child, { name })
  }

  /** Lets one process live out its fate. */
  async function live(role: Role, port: number, fate: Fate, luck: Luck): Promise<void> {
    const failpoints =
      'failpoint' in fate.at
        ? `${fate.at.failpoint}=${fate.kind === 'kill' ? 'kill' : 'stop'}:${fate.at.hit}`
        : 'send.after=kill:1000000000'
    const args = role === 'serve' ? ['serve'] : [role, '--json']
    const child = start(role, args, port, failpoints)
    const lives = (): boolean => !child.ending && !isOver() && !child.isFrozen()
    if (!('ms' in fate.at) || fate.at.after === 'first word') {
      while (lives() && !child.hasSpoken()) await sleep(LOOK_MS)
    }
    const strikeAt = performance.now() + ('ms' in fate.at ? fate.at.ms : PATIENCE_MS)
    while (lives() && performance.now() < strikeAt) await sleep(LOOK_MS)
    const place = 'failpoint' in fate.at ? fate.at.failpoint : 'anywhere'
    if (child.ending) return noteEnd(child, child.ending, place)

    if (fate.kind === 'spare') return letGo(child, role)
    if (fate.kind === 'terminate') {
      count.terminations++
      child.signal('SIGTERM')
      if (await endsWithin(child, LEASE_MS * 4)) return noteEnd(child, await child.ended, 'anywhere')
      trouble.push(`${child.name} did not end after SIGTERM`)
    }
    if (fate.kind === 'freeze') {
      const itself = child.isFrozen()
      await freeze(child, luck, itself ? place : 'anywhere')
      await Promise.race([child.ended, sleep(luck.between(100, 1_500))])
    }
    if (!child.ending) child.signal('SIGKILL')
    noteEnd(child, await child.ended, 'anywhere')
  }

  /** Shorter or longer than the lease: in the second case its messages are somebody else's when it wakes up. */
  async function freeze(child: Child & { name: string }, luck: Luck, place: string): Promise<void> {
    child.signal('SIGSTOP')
    count.freezes++
    frozenAt[place] = (frozenAt[place] ?? 0) + 1
    const ms = LEASE_MS * (luck.chance(0.5) ? luck.between(0.2, 0.8) : luck.between(1.2, 2))
    trace(`freeze ${child.name} at ${place} for ${Math.round(ms)} ms`)
    await Promise.race([child.ended, sleep(ms)])
    // Asked to stop while it was frozen, it gives back what it claimed: or would, if the lease had not run out.
    const stops = luck.chance(0.4)
    if (stops) child.signal('SIGTERM')
    child.signal('SIGCONT')
    trace(`thaw ${child.name}${stops ? ', to stop' : ''}`)
    if (stops) await endsWithin(child, LEASE_MS * 2)
  }

  async function letGo(child: Child, role: Role): Promise<void> {
    if (role === 'serve') child.signal('SIGTERM')
    while (!child.ending && !isOver()) await sleep(LOOK_MS)
    if (!child.ending) child.signal('SIGKILL')
    await child.ended
  }

  function noteEnd(child: Child & { name: string }, { signal }: Ending, place: string): void {
    if (signal !== 'SIGKILL') return
    const now = Date.now()
    count.kills++
    killedAt[place] = (killedAt[place] ?? 0) + 1
    trace(`killed ${child.name} at ${place}, ${count.kills} of ${options.kills}`)
    options.onProgress?.(count.kills)
    // The database may be down just now; then there is one sample less.
    watch.noteKill(db, now).catch(() => {})
  }

  /** Process after process in one place, until there were enough kills. */
  async function keepOneRunning(place: number): Promise<void> {
    const luck = createLuck(seed, `place ${place}`)
    const nextFate = createFates(luck)
    const [port = 0] = ports.slice(place)
    while (!isOver()) {
      const serves = place === 0 ? processes > 1 || luck.chance(0.5) : place > 1 && luck.chance(0.2)
      const role = serves ? 'serve' : 'remind'
      await live(role, port, nextFate(role), luck)
      await sleep(luck.between(0, 150))
    }
  }

  async function expireNowAndThen(): Promise<void> {
    const luck = createLuck(seed, 'expire')
    const nextFate = createFates(luck)
    while (!isOver()) {
      await Promise.race([sleep(luck.between(2_000, 5_000)), untilOver()])
      if (isOver()) return
      await uploader.writeShortLived(db, luck.integer(3, 30), Date.now()).catch(() => {})
      await live('expire', 0, nextFate('expire'), luck)
    }
  }

  async function uploadOnAndOn(): Promise<void> {
    const luck = createLuck(seed, 'pauses')
    while (!isOver()) {
      await uploader.upload(undefined, isOver)
      await sleep(luck.between(100, 500))
    }
  }

  async function meddleWithTokens(): Promise<void> {
    const luck = createLuck(seed, 'tokens')
    while (!isOver()) {
      await Promise.race([sleep(luck.between(1_000, 4_000)), untilOver()])
      wechat.killTokens()
    }
  }

  async function restartDatabase(running: MysqlServer): Promise<void> {
    const luck = createLuck(seed, 'database')
    const every = Math.max(8, Math.min(40, Math.floor(options.kills / 3)))
    for (let next = every; !isOver(); next += every) {
      while (!isOver() && count.kills < next) await sleep(LOOK_MS)
      if (isOver()) return
      trace('database killed')
      await running.kill()
      await sleep(luck.between(50, 1_500))
      await running.restart()
      count.database_restarts++
      trace('database up')
    }
  }

  async function watchTakeovers(): Promise<void> {
    while (!isOver()) {
      await watch.look(db, Date.now()).catch(() => {})
      await sleep(50)
    }
  }

  async function watchEndings(): Promise<void> {
    while (!isOver()) {
      await endings.look(db, Date.now()).catch(() => {})
      await Promise.race([sleep(300), untilOver()])
    }
  }

  /** A minute that WeChat asked for (45011) is over in two seconds: else few such messages came back in the chaos. */
  async function hurryRetries(): Promise<void> {
    while (!isOver()) {
      await letRetriesBeDue(db).catch(() => {})
      await Promise.race([sleep(2_000), untilOver()])
    }
  }

  async function untilOver(): Promise<void> {
    while (!isOver()) await sleep(LOOK_MS)
  }

  /** A part that fails ends the others, and not the report. */
  function part(name: string, work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => {
      trouble.push(`${name}: ${error instanceof Error ? error.stack : String(error)}`)
    })
  }

  for (const fault of mixedFaults(faultRate)) wechat.addFault(fault)
  const first = start('serve', ['serve'], ports[0] ?? 0, 'send.after=kill:1000000000')
  await uploader.upload(FIRST_USERS, () => first.ending !== undefined)
  if (first.ending) throw new Error(`serve does not start, see ${folder}/${first.name}.log`)
  first.signal('SIGKILL')
  await first.ended

  await Promise.all([
    ...Array.from({ length: processes }, (_, place) => part(`place ${place}`, keepOneRunning(place))),
    part('uploads', uploadOnAndOn()),
    part('expire', expireNowAndThen()),
    part('tokens', meddleWithTokens()),
    part('watch', watchTakeovers()),
    part('endings', watchEndings()),
    part('retries', hurryRetries()),
    ...(server ? [part('database', restartDatabase(server))] : []),
  ])
  if (count.kills < options.kills) trouble.push(`only ${count.kills} of ${options.kills} kills in time`)
  const chaosEnded = [...children].map(({ ended }) => ended)
  killAll()
  await Promise.all(chaosEnded)
  trace('the chaos is over')

  const faults = countFaults(wechat.faults())
  wechat.clearFaults()
  await finish()

  async function finish(): Promise<void> {
    for (let run = 1; run <= MAX_FINISHING_RUNS; run++) {
      await letRetriesBeDue(db)
      const answer = await runToTheEnd('remind')
      const { state, due, retrying } = answer
      trace(`finishing ${JSON.stringify(answer)}`)
      if (trouble.length > 0) return
      if (state === 'done' && due === 0 && retrying === 0) break
      if (run === MAX_FINISHING_RUNS) trouble.push(`not finished: ${JSON.stringify(answer)}`)
    }
    await runToTheEnd('recover')
    await runToTheEnd('expire')
  }

  async function runToTheEnd(command: 'remind' | 'recover' | 'expire'): Promise<Record<string, unknown>> {
    const child = start(command as Role, [command, '--json'], 0, 'send.after=kill:1000000000')
    if (!(await endsWithin(child, FINISH_TIMEOUT_MS))) {
      trouble.push(`${child.name} did not end in ${FINISH_TIMEOUT_MS} ms`)
      child.signal('SIGKILL')
      await child.ended
    }
    return readAnswer(join(folder, `${child.name}.out`))
  }

  const ledger = wechat.ledger()
  if (ledger.length === 0) trouble.push('WeChat delivered nothing')
  const violations = await findViolations(db, ledger, uploader, Date.now())
  violations.settled_twice.push(...(await endings.findSettledTwice(db)))
  const ok = trouble.length === 0 && Object.values(violations).every((rows) => rows.length === 0)
  const report: ChaosReport = {
    ok,
    seed,
    database: options.database,
    processes,
    fault_rate: faultRate,
    violations,
    trouble,
    ...count,
    killed_at: sortKeys(killedAt),
    frozen_at: sortKeys(frozenAt),
    messages: await countStates(db),
    delivered_by_wechat: ledger.length,
    users: uploader.users,
    uploads: {
      requests: uploader.requests,
      unanswered: uploader.unanswered,
      stored: uploader.stored.size,
      duplicates: uploader.duplicates,
    },
    faults,
    lease_ms: LEASE_MS,
    resume: watch.summary(),
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
  }
  if (ok && !options.keep) return report
  await keepTables(db, folder, ledger)
  writeFileSync(join(folder, 'report.json'), JSON.stringify(report, null, 2))
  return { ...report, folder }
}

/** Every place of a role in turn, in an order of its own, between strikes at random moments. */
function createFates(luck: Luck): (role: Role) => Fate {
  const bags = new Map<Role, Failpoint[]>()

  function drawPlace(role: Role): { failpoint: Failpoint; hit: number } {
    const bag = bags.get(role) ?? []
    if (bag.length === 0) bag.push(...(Object.keys(PLACES[role]) as Failpoint[]))
    bags.set(role, bag)
    const failpoint = luck.pick(bag)
    bag.splice(bag.indexOf(failpoint), 1)
    return { failpoint, hit: luck.integer(1, PLACES[role][failpoint] ?? 1) }
  }

  return (role) => {
    const dice = luck.between(0, 100)
    const at = luck.chance(0.15)
      ? ({ ms: luck.between(50, 1_000), after: 'start' } as const)
      : ({ ms: luck.between(100, role === 'serve' ? 5_000 : 2_000), after: 'first word' } as const)
    if (dice < 45) return { kind: 'kill', at: drawPlace(role) }
    if (dice < 57) return { kind: 'freeze', at: drawPlace(role) }
    if (dice < 82) return { kind: 'kill', at }
    if (dice < 90) return { kind: 'freeze', at }
    if (dice < 97) return { kind: 'terminate', at }
    return { kind: 'spare', at }
  }
}

async function createDatabase(
  kind: ChaosOptions['database'],
  folder: string,
  undo: (() => unknown)[],
): Promise<{ url: string; server?: MysqlServer }> {
  if (kind === 'sqlite') return { url: `sqlite:${join(folder, 'chaos.db')}` }
  const server = await startMysqlServer()
  undo.push(server.stop)
  const root = openDatabase(server.url)
  await root.raw('CREATE DATABASE chaos CHARACTER SET utf8mb4')
  await root.destroy()
  return { url: `${server.url}/chaos`, server }
}

/**
 * The driver's own pool. On SQLite it does not wait for a lock: the driver would stand still with it, and whoever holds
 * the lock may be frozen until the driver wakes it. Nor does it complain of a database that it has itself killed.
 */
function openForLooking(url: string): Knex {
  const silent = { warn() {}, error() {}, debug() {}, deprecate() {} }
  const config = { ...knexConfig(url), log: silent }
  if (!url.startsWith('sqlite:')) return knex(config)
  const afterCreate = (
    connection: { exec(sql: string): void },
    done: (error: unknown, c: unknown) => void,
  ) => {
    connection.exec('PRAGMA busy_timeout = 30')
    connection.exec('PRAGMA journal_mode = WAL')
    done(null, connection)
  }
  return knex({ ...config, pool: { min: 1, max: 1, afterCreate } })
}

/** The run's day must not end under it, at whatever time of day the test runs. */
function zoneWhereItIsNoon(): string {
  const offset = 12 - new Date().getUTCHours()
  return `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No loopback port is free')
  return address.port
}

function readAnswer(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  } catch {
    return { error: `no JSON in ${file}` }
  }
}

function countFaults(
  faults: { kind: string; errcode?: number; status?: number; effect?: string; struck: number }[],
) {
  return Object.fromEntries(
    faults.map(({ kind, errcode, status, effect, struck }) => [
      [kind, errcode ?? status, effect].filter((word) => word !== undefined).join(' '),
      struck,
    ]),
  )
}

async function letRetriesBeDue(db: Knex): Promise<void> {
  const now = Date.now()
  await execute(
    db,
    "UPDATE wx_push_message SET next_attempt_at = ? WHERE next_attempt_at > ? AND state = 'retry'",
    [now, now + 1_000],
  )
}

async function countStates(db: Knex): Promise<Record<string, number>> {
  const rows = await selectRows<{ state: string; n: number }>(
    db,
    'SELECT state, COUNT(*) AS n FROM wx_push_message GROUP BY state',
  )
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]))
}

function sortKeys(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)))
}

const TABLES = [
  'wx_push_message',
  'wx_save_form_id',
  'wx_message_push_status',
  'wx_job_run',
  'wx_job_cursor',
  'wx_sign_in',
  'wx_user',
]

/** As lines of JSON, since a private server goes with its data. */
async function keepTables(db: Knex, folder: string, ledger: Delivery[]): Promise<void> {
  const write = (name: string, rows: object[]): void =>
    writeFileSync(join(folder, `${name}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  write('ledger', ledger)
  for (const table of TABLES) write(table, await selectRows<object>(db, `SELECT * FROM ${table}`))
}
