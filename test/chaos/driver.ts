import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEMO_APP_ID } from '../../src/sandbox/accounts.js'
import { startSandbox } from '../../src/sandbox/sandbox.js'
import type { SendRequest } from '../../src/sandbox/send-request.js'
import { migrateLatest } from '../../src/schema.js'
import type { MysqlServer } from '../helpers/mysql-server.js'
import { createDatabase, openForLooking } from './chaos-database.js'
import { findViolations } from './check.js'
import { EndingsWatch } from './endings.js'
import { createFates } from './fates.js'
import { mixedFaults, NO_OUTAGE } from './faults.js'
import { countStates, findOvertaken, finish, keepTables } from './finish.js'
import { createLuck, type Luck } from './luck.js'
import type { ChaosOptions, ChaosReport } from './options.js'
import { createPermitSource } from './permit-sources.js'
import { API_KEY, CALLBACK_TOKEN, LEASE_MS, Processes } from './processes.js'
import { ResumeWatch } from './resume.js'
import { Course, type Stage, tracer } from './stage.js'
import * as troubles from './troubles.js'
import { Uploader } from './uploads.js'

const FIRST_USERS = 100

/**
 * Runs real processes of the command line against one database and a simulated WeChat that fails, kills, freezes and
 * restarts them and the database until there were so many kills, and then compares the books. The seed decides every
 * plan; which process comes to which place first is the machine's.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const folder = mkdtempSync(join(tmpdir(), `reminder-chaos-${options.channel}-${options.database}-`))
  const undo: (() => unknown)[] = []
  try {
    const report = await new Chaos(options, folder, undo).play()
    if (report.folder === undefined) rmSync(folder, { recursive: true, force: true })
    return report
  } finally {
    for (const release of undo.reverse()) await release()
  }
}

class Chaos {
  readonly #options: ChaosOptions
  readonly #folder: string
  readonly #undo: (() => unknown)[]
  readonly #startedAt = performance.now()
  readonly #requests: SendRequest[] = []
  readonly #resume = new ResumeWatch()
  readonly #endings = new EndingsWatch()
  readonly #counts = { database_restarts: 0, outages: 0 }

  constructor(options: ChaosOptions, folder: string, undo: (() => unknown)[]) {
    this.#options = options
    this.#folder = folder
    this.#undo = undo
  }

  async play(): Promise<ChaosReport> {
    const { channel, seed, faultRate } = this.#options
    const { stage, server } = await this.#setStage()
    const { db, course, sandbox, trace } = stage
    const wechat = sandbox.control
    const ports = await Promise.all(
      Array.from({ length: Math.max(1, this.#options.processes - 1) }, freePort),
    )
    const serviceUrl = `http://127.0.0.1:${ports[0]}`
    const uploader = new Uploader(createPermitSource(channel, wechat), createLuck(seed, 'uploads'), {
      appId: DEMO_APP_ID,
      apiKey: API_KEY,
      urls: [serviceUrl],
    })
    // The database may be down just now; then there is one sample less.
    const processes = new Processes(stage, (at) => void this.#resume.noteKill(db, at).catch(() => {}))
    const killNow = () => processes.killNow()
    process.on('exit', killNow)
    this.#undo.push(() => {
      process.off('exit', killNow)
      killNow()
    })

    if (channel !== 'form_id') {
      const url = `${serviceUrl}/wechat/callback`
      wechat.configureCallback({
        url,
        token: CALLBACK_TOKEN,
        encodingAesKey: '',
        mode: 'plain',
        format: 'json',
      })
    }
    for (const fault of [NO_OUTAGE, ...mixedFaults(channel, faultRate)]) wechat.addFault(fault)
    await this.#uploadFirst(processes, uploader, ports)

    course.endIn(this.#options.timeoutMs ?? 60_000 + this.#options.kills * 5_000)
    const chaosFrom = performance.now()
    await Promise.all(this.#parts(stage, processes, uploader, ports, server))
    const chaosMs = performance.now() - chaosFrom
    const { kills } = processes.count
    if (kills < this.#options.kills) course.fail(`only ${kills} of ${this.#options.kills} kills in time`)
    await processes.killAll()
    trace('the chaos is over')
    const faults = countFaults(wechat.faults())
    wechat.clearFaults()
    await finish(stage, processes, ports[0] ?? 0)
    return this.#report(stage, processes, uploader, { faults, chaosMs })
  }

  async #setStage(): Promise<{ stage: Stage; server?: MysqlServer }> {
    const options = this.#options
    const { url, server } = await createDatabase(options.database, this.#undo)
    const db = openForLooking(url)
    this.#undo.push(() => db.destroy())
    await migrateLatest(db, { onMessage: () => {}, appId: DEMO_APP_ID })
    const onSendRequest = (request: SendRequest) => void this.#requests.push(request)
    const sandbox = await startSandbox({ seed: options.seed, onSendRequest })
    this.#undo.push(sandbox.close)
    const course = new Course()
    this.#undo.push(() => course.end())
    const [folder, databaseUrl, trace] = [this.#folder, url, tracer(this.#folder)]
    const stage = { options, folder, databaseUrl, db, sandbox, course, trace }
    return { stage, ...(server ? { server } : {}) }
  }

  async #uploadFirst(processes: Processes, uploader: Uploader, ports: number[]): Promise<void> {
    const first = processes.start(['serve'], ports[0])
    await uploader.upload(FIRST_USERS, () => first.ending !== undefined)
    if (first.ending) throw new Error(`serve does not start, see ${this.#folder}/${first.name}.log`)
    first.signal('SIGKILL')
    await first.ended
  }

  #parts(
    stage: Stage,
    processes: Processes,
    uploader: Uploader,
    ports: number[],
    server: MysqlServer | undefined,
  ): Promise<void>[] {
    const { course, db } = stage
    const { channel, seed } = this.#options
    const luckOf = (part: string): Luck => createLuck(seed, part)
    const part = (name: string, work: Promise<void>) => course.run(name, work)
    return [
      ...Array.from({ length: this.#options.processes }, (_, place) =>
        part(`place ${place}`, this.#keepOneRunning(stage, processes, place, ports[place] ?? 0)),
      ),
      part(
        'uploads',
        course.repeat(luckOf('pauses'), { low: 100, high: 500 }, () =>
          uploader.upload(undefined, () => course.isOver),
        ),
      ),
      part('expire', this.#expireNowAndThen(stage, processes, uploader)),
      part('tokens', troubles.meddleWithTokens(stage, luckOf('tokens'))),
      part('retries', troubles.hurryRetries(stage, luckOf('retries'))),
      part(
        'takeovers',
        course.repeat(luckOf('looks'), { low: 50, high: 50 }, () =>
          this.#resume.look(db, Date.now()).catch(() => {}),
        ),
      ),
      part(
        'endings',
        course.repeat(luckOf('looks'), { low: 300, high: 300 }, () =>
          this.#endings.look(db, Date.now()).catch(() => {}),
        ),
      ),
      ...(channel !== 'form_id'
        ? [part('outages', troubles.takeNothingNowAndThen(stage, luckOf('outages'), this.#counts))]
        : []),
      ...(server
        ? [
            part(
              'database',
              troubles.restartDatabase(stage, server, luckOf('database'), this.#counts, processes),
            ),
          ]
        : []),
    ]
  }

  /** Process after process in one place, until there were enough kills. While one is frozen the next one works. */
  async #keepOneRunning({ course }: Stage, processes: Processes, place: number, port: number): Promise<void> {
    const luck = createLuck(this.#options.seed, `place ${place}`)
    const nextFate = createFates(luck, this.#options.channel)
    const lives = new Set<Promise<void>>()
    while (!course.isOver) {
      const serves =
        place === 0 ? this.#options.processes > 1 || luck.chance(0.5) : place > 1 && luck.chance(0.2)
      const role = serves ? 'serve' : 'remind'
      const fate = nextFate(role)
      await new Promise<void>((next) => {
        // Two services cannot listen on one port.
        const life = course.run(role, processes.live(role, port, fate, serves ? undefined : next))
        lives.add(life)
        void life.then(() => lives.delete(life)).then(() => next())
      })
      await course.pause(luck.between(0, 150))
    }
    await Promise.all(lives)
  }

  async #expireNowAndThen({ course, db }: Stage, processes: Processes, uploader: Uploader): Promise<void> {
    const luck = createLuck(this.#options.seed, 'expire')
    const nextFate = createFates(luck, this.#options.channel)
    while (!course.isOver) {
      await course.pause(luck.between(2_000, 5_000))
      if (course.isOver) return
      await uploader.writeShortLived(db, luck.integer(3, 30), Date.now()).catch(() => {})
      await processes.live('expire', 0, nextFate('expire'))
    }
  }

  async #report(
    { db, course, sandbox }: Stage,
    processes: Processes,
    uploader: Uploader,
    { faults, chaosMs }: { faults: Record<string, number>; chaosMs: number },
  ): Promise<ChaosReport> {
    const { channel, database, seed, faultRate } = this.#options
    const ledger = sandbox.control.ledger()
    if (ledger.length === 0) course.fail('WeChat delivered nothing')
    const requests = this.#requests
    const { disturbances } = processes
    const overtaken = findOvertaken(this.#folder)
    const evidence = { channel, ledger, requests, uploader, disturbances, overtaken }
    const { violations, unknown } = await findViolations(db, evidence, Date.now())
    violations.settled_twice.push(...(await this.#endings.findSettledTwice(db)))
    const ok = course.trouble.length === 0 && Object.values(violations).every((rows) => rows.length === 0)
    const { requests: asked, unanswered, stored, duplicates } = uploader
    const report: ChaosReport = {
      ok,
      channel,
      seed,
      database,
      processes: this.#options.processes,
      fault_rate: faultRate,
      violations,
      trouble: course.trouble,
      ...processes.count,
      ...this.#counts,
      killed_at: sortKeys(processes.killedAt),
      frozen_at: sortKeys(processes.frozenAt),
      messages: await countStates(db),
      ...(unknown ? { unknown } : {}),
      delivered_by_wechat: ledger.length,
      users: uploader.users,
      uploads: { requests: asked, unanswered, stored: stored.size, duplicates },
      faults,
      lease_ms: LEASE_MS,
      resume: this.#resume.summary(),
      kills_per_minute: Math.round((processes.count.kills / chaosMs) * 600_000) / 10,
      seconds: Math.round((performance.now() - this.#startedAt) / 100) / 10,
    }
    if (ok && !this.#options.keep) return report
    await keepTables(db, this.#folder, { ledger, requests, disturbances })
    writeFileSync(join(this.#folder, 'report.json'), JSON.stringify(report, null, 2))
    return { ...report, folder: this.#folder }
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No loopback port is free')
  return address.port
}

function countFaults(
  faults: { id: string; kind: string; errcode?: number; status?: number; effect?: string; struck: number }[],
) {
  return Object.fromEntries(
    faults.map(({ kind, errcode, status, effect, struck }) => [
      [kind, errcode ?? status, effect].filter((word) => word !== undefined).join(' '),
      struck,
    ]),
  )
}

function sortKeys(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)))
}
