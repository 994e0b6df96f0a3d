import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEMO_APP_ID, DEMO_APP_SECRET, DEMO_PAGE, DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'
import { type Child, type Ending, endsWithin, startChild } from './child.js'
import type { Fate, Role } from './fates.js'
import { PARCEL_TEMPLATE_ID } from './parcel-template.js'
import type { Stage } from './stage.js'

export const LEASE_MS = 2_000
/** Requests to WeChat that a process has under way at most. */
export const SEND_CONCURRENCY = 16
export const API_KEY = 'chaos-key-0123456789abcdef0123456789abcdef'
export const CALLBACK_TOKEN = 'chaosCallbackToken0123456789'

const CALM_TIMING = `lease=${LEASE_MS},backoff=0.02,token=500`
/** Nobody waits long for a WeChat that hangs. Without faults only a busy machine is as slow: then it waits. */
const TEST_TIMING = `${CALM_TIMING},http=500`
/** Arms the timing above, and strikes nobody. */
const NO_FAILPOINT = 'send.after=kill:1000000000'
/** A failpoint that is not come to by then is given up, and the process killed where it is. */
const PATIENCE_MS = 3_000
/** How each role says that it has begun to work. What happens before is left to strikes soon after the start. */
const FIRST_WORD: Record<Role, string> = { serve: '"service.started"', remind: '', expire: '' }
/** On a busy machine, or while the database is away, a process may not come to its work. */
const FIRST_WORD_WITHIN_MS = 15_000
/** A machine on which the start takes longer is as much slower at everything else: what it is to work must not shrink. */
const USUAL_START_MS = 1_500
const MOST_SLOWED = 4
/** Where a kill strikes that waited for no failpoint. */
export const ANYWHERE = 'anywhere'
const LOOK_MS = 25
/** The service's own limit is 30 seconds. */
const STOPS_WITHIN_MS = 35_000
const FINISH_TIMEOUT_MS = 120_000

type Named = Child & { name: string }

/** A process was dead or frozen, or the database was away. */
export interface Disturbance {
  kind: 'kill' | 'freeze' | 'database'
  /** The process; undefined = all. */
  client?: string
  from: number
  until: number
}

/** The processes of the command line, each from its start to the end that its fate has for it. */
export class Processes {
  readonly count = { kills: 0, freezes: 0, terminations: 0, starts: 0 }
  readonly killedAt: Record<string, number> = {}
  readonly frozenAt: Record<string, number> = {}
  readonly disturbances: Disturbance[] = []
  readonly #stage: Stage
  readonly #onKill: (at: number) => void
  readonly #alive = new Set<Child>()

  constructor(stage: Stage, onKill: (at: number) => void) {
    this.#stage = stage
    this.#onKill = onKill
  }

  start(args: string[], port = 0, failpoints = NO_FAILPOINT, timing = TEST_TIMING): Named {
    const { folder, options, trace } = this.#stage
    const name = `${String(++this.count.starts).padStart(5, '0')}-${args[0]}`
    const child = startChild(
      options.main,
      args,
      { ...this.#environment(name, port, failpoints), REMINDER_TEST_TIMING: timing },
      join(folder, name),
    )
    trace(`start ${name} pid=${child.pid} ${failpoints === NO_FAILPOINT ? '' : failpoints}`)
    this.#alive.add(child)
    void child.ended.then(({ code, signal }) => {
      this.#alive.delete(child)
      if (signal === 'SIGKILL') this.#note('kill', name, Date.now(), Date.now())
      trace(`end ${name} ${signal ?? `exit ${code}`}`)
    })
    return Object.assign(child, { name })
  }

  /** One that nobody strikes, and that has time. */
  startCalm(args: string[], port = 0): Named {
    return this.start(args, port, NO_FAILPOINT, CALM_TIMING)
  }

  /** Lets one process live out its fate. `onFreeze` is called when it begins to stand still. */
  async live(role: Role, port: number, fate: Fate, onFreeze = () => {}): Promise<void> {
    const { course } = this.#stage
    const failpoints =
      'failpoint' in fate.at
        ? `${fate.at.failpoint}=${fate.kind === 'kill' ? 'kill' : 'stop'}:${fate.at.hit}`
        : NO_FAILPOINT
    const child = this.start(role === 'serve' ? ['serve'] : [role, '--json'], port, failpoints)
    const lives = (): boolean => !child.ending && !course.isOver && !child.isFrozen()
    const startedAt = performance.now()
    const isAwaited = !('ms' in fate.at) || fate.at.after === 'first word'
    while (isAwaited && lives() && performance.now() < startedAt + FIRST_WORD_WITHIN_MS) {
      if (child.hasSaid(FIRST_WORD[role])) break
      await sleep(LOOK_MS)
    }
    const slowness = Math.min(MOST_SLOWED, Math.max(1, (performance.now() - startedAt) / USUAL_START_MS))
    const strikeMs = ('ms' in fate.at ? fate.at.ms : PATIENCE_MS) * (isAwaited ? slowness : 1)
    const strikeAt = performance.now() + strikeMs
    while (lives() && performance.now() < strikeAt) await sleep(LOOK_MS)
    const place = 'failpoint' in fate.at ? fate.at.failpoint : ANYWHERE
    if (child.ending) return this.#countEnd(child, child.ending, place)

    if (fate.kind === 'spare') return this.#letGo(child, role)
    if (fate.kind === 'terminate') {
      this.count.terminations++
      child.signal('SIGTERM')
      if (await endsWithin(child, STOPS_WITHIN_MS)) return this.#countEnd(child, await child.ended, ANYWHERE)
      course.fail(`${child.name} did not end after SIGTERM`)
    }
    if (fate.kind === 'freeze') {
      const itself = child.isFrozen()
      onFreeze()
      await this.#freeze(child, fate.freeze, itself ? place : ANYWHERE)
      await Promise.race([child.ended, sleep(fate.freeze.livesOnMs)])
    }
    if (!child.ending) child.signal('SIGKILL')
    this.#countEnd(child, await child.ended, ANYWHERE)
  }

  /** One process that nobody disturbs; answers what it printed. */
  async runToTheEnd(command: 'remind' | 'recover' | 'expire'): Promise<Record<string, unknown>> {
    const { course, folder } = this.#stage
    const child = this.startCalm([command, '--json'])
    if (!(await endsWithin(child, FINISH_TIMEOUT_MS))) {
      course.fail(`${child.name} did not end in ${FINISH_TIMEOUT_MS} ms`)
      child.signal('SIGKILL')
      await child.ended
    }
    return readAnswer(join(folder, `${child.name}.out`))
  }

  async killAll(): Promise<void> {
    const ended = [...this.#alive].map((child) => child.ended)
    this.killNow()
    await Promise.all(ended)
  }

  killNow(): void {
    for (const child of this.#alive) if (!child.ending) child.signal('SIGKILL')
  }

  async #freeze(child: Named, { ms, stops }: Fate['freeze'], place: string): Promise<void> {
    const { trace } = this.#stage
    const from = Date.now()
    child.signal('SIGSTOP')
    this.count.freezes++
    this.frozenAt[place] = (this.frozenAt[place] ?? 0) + 1
    trace(`freeze ${child.name} at ${place} for ${Math.round(ms)} ms`)
    await Promise.race([child.ended, sleep(ms)])
    this.#note('freeze', child.name, from, Date.now())
    if (stops) child.signal('SIGTERM')
    child.signal('SIGCONT')
    trace(`thaw ${child.name}${stops ? ', to stop' : ''}`)
    if (stops) await endsWithin(child, LEASE_MS * 2)
  }

  async #letGo(child: Child, role: Role): Promise<void> {
    if (role === 'serve') child.signal('SIGTERM')
    while (!child.ending && !this.#stage.course.isOver) await sleep(LOOK_MS)
    if (!child.ending) child.signal('SIGKILL')
    await child.ended
  }

  #countEnd(child: Named, { signal }: Ending, place: string): void {
    if (signal !== 'SIGKILL') return
    const { options, course, trace } = this.#stage
    this.count.kills++
    this.killedAt[place] = (this.killedAt[place] ?? 0) + 1
    trace(`killed ${child.name} at ${place}, ${this.count.kills} of ${options.kills}`)
    options.onProgress?.(this.count.kills)
    this.#onKill(Date.now())
    // A busy machine may be struck everywhere before anybody comes to a failpoint.
    const isNamed = Object.keys(this.killedAt).some((at) => at !== ANYWHERE)
    if (this.count.kills >= options.kills && isNamed) course.end()
  }

  #note(kind: Disturbance['kind'], client: string, from: number, until: number): void {
    this.disturbances.push({ kind, client, from, until })
  }

  #environment(name: string, port: number, failpoints: string): NodeJS.ProcessEnv {
    const { databaseUrl, sandbox, options } = this.#stage
    return {
      PATH: process.env.PATH,
      DATABASE_URL: databaseUrl,
      PORT: String(port),
      LOG_LEVEL: 'debug',
      API_KEYS: `chaos:${API_KEY}`,
      // By this name WeChat's side knows whose request it was.
      WX_API_BASE_URL: `${sandbox.url}/as/${name}`,
      WX_APP_ID: DEMO_APP_ID,
      WX_APP_SECRET: DEMO_APP_SECRET,
      WX_CHANNEL: options.channel,
      ...(options.channel !== 'form_id' ? { WX_CALLBACK_TOKEN: CALLBACK_TOKEN } : {}),
      REMINDER_TEMPLATE_ID: DEMO_TEMPLATE_ID,
      REMINDER_PAGE: options.channel === 'official' ? '' : DEMO_PAGE,
      REMINDER_DATA: '{"keyword1":"日领积分","keyword2":"{streak}","keyword4":"{date}"}',
      TIMEZONE: zoneWhereItIsNoon(),
      SEND_UNTIL: '23:59',
      TEMPLATES: PARCEL_TEMPLATE_ID,
      SEND_CONCURRENCY: String(SEND_CONCURRENCY),
      REMINDER_FAILPOINTS: failpoints,
    }
  }
}

/** The run's day must not end under it, at whatever time of day the test runs. */
function zoneWhereItIsNoon(): string {
  const offset = 12 - new Date().getUTCHours()
  return `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}`
}

function readAnswer(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  } catch {
    return { error: `no JSON in ${file}` }
  }
}
