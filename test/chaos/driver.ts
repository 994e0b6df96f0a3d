import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEMO_APP_ID } from '../../src/sandbox/accounts.js'
import { startSandbox } from '../../src/sandbox/sandbox.js'
import type { SendRequest } from '../../src/sandbox/send-request.js'
import { migrateLatest } from '../../src/schema.js'
import type { MysqlServer } from '../helpers/mysql-server.js'
import { Backend } from './backend.js'
import type { Cast } from './cast.js'
import { createDatabase, openForLooking } from './chaos-database.js'
import { EndingsWatch } from './endings.js'
import { mixedFaults, NO_OUTAGE } from './faults.js'
import { finish } from './finish.js'
import { createLuck } from './luck.js'
import type { ChaosOptions, ChaosReport } from './options.js'
import { putParcelTemplate } from './parcel-template.js'
import { startParts } from './parts.js'
import { createPermitSource } from './permit-sources.js'
import { API_KEY, CALLBACK_TOKEN, Processes } from './processes.js'
import { writeReport } from './report.js'
import { ResumeWatch } from './resume.js'
import { Course, type Stage, tracer } from './stage.js'
import { Submitter } from './submitter.js'
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

  constructor(options: ChaosOptions, folder: string, undo: (() => unknown)[]) {
    this.#options = options
    this.#folder = folder
    this.#undo = undo
  }

  async play(): Promise<ChaosReport> {
    const { channel, faultRate, kills } = this.#options
    const cast = await this.#gather()
    const { stage, processes } = cast
    const { course, sandbox, trace } = stage
    const wechat = sandbox.control
    this.#configure(cast)
    for (const fault of [NO_OUTAGE, ...mixedFaults(channel, faultRate)]) wechat.addFault(fault)
    await this.#uploadFirst(cast)

    course.endIn(this.#options.timeoutMs ?? 60_000 + kills * 5_000)
    const chaosFrom = performance.now()
    await Promise.all(startParts(cast))
    const chaosMs = performance.now() - chaosFrom
    if (processes.count.kills < kills) course.fail(`only ${processes.count.kills} of ${kills} kills in time`)
    await processes.killAll()
    trace('the chaos is over')
    const faults = wechat.faults()
    wechat.clearFaults()
    putParcelTemplate(wechat, false)
    await finish(cast)
    return writeReport(cast, { requests: this.#requests, faults, chaosMs, startedAt: this.#startedAt })
  }

  async #gather(): Promise<Cast> {
    const { channel, seed } = this.#options
    const { stage, server } = await this.#setStage()
    const { db, sandbox } = stage
    const ports = await Promise.all(Array.from({ length: this.#options.processes }, freePort))
    // Nobody serves in place 1.
    const urls = ports.filter((_, place) => place !== 1).map((port) => `http://127.0.0.1:${port}`)
    const backendOf = (part: string) => new Backend(API_KEY, urls, createLuck(seed, part))
    const [owner, shop] = [backendOf('calls of the owner'), backendOf('calls of the shops')]
    const source = createPermitSource(channel, sandbox.control)
    const uploader = new Uploader(source, createLuck(seed, 'uploads'), owner)
    const submitter = new Submitter(shop, createLuck(seed, 'submitted'), uploader)
    const resume = new ResumeWatch()
    // The database may be down just now; then there is one sample less.
    const processes = new Processes(stage, (at) => void resume.noteKill(db, at).catch(() => {}))
    const killNow = () => processes.killNow()
    process.on('exit', killNow)
    this.#undo.push(() => {
      process.off('exit', killNow)
      killNow()
    })
    const watches = { resume, endings: new EndingsWatch(), counts: { database_restarts: 0, outages: 0 } }
    return { stage, processes, uploader, submitter, backends: [owner, shop], ...watches, ports, server }
  }

  async #setStage(): Promise<{ stage: Stage; server: MysqlServer | undefined }> {
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
    return { stage: { options, folder, databaseUrl, db, sandbox, course, trace }, server }
  }

  #configure({ stage: { sandbox }, ports }: Cast): void {
    putParcelTemplate(sandbox.control, false)
    if (this.#options.channel === 'form_id') return
    sandbox.control.configureCallback({
      url: `http://127.0.0.1:${ports[0]}/wechat/callback`,
      token: CALLBACK_TOKEN,
      encodingAesKey: '',
      mode: 'plain',
      format: 'json',
    })
  }

  async #uploadFirst({ processes, uploader, ports }: Cast): Promise<void> {
    const first = processes.start(['serve'], ports[0])
    await uploader.upload(FIRST_USERS, () => first.ending !== undefined)
    if (first.ending) throw new Error(`serve does not start, see ${this.#folder}/${first.name}.log`)
    first.signal('SIGKILL')
    await first.ended
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
