import { setMaxListeners } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import type { Sandbox } from '../../src/sandbox/sandbox.js'
import type { Luck } from './luck.js'
import type { ChaosOptions } from './options.js'

/** What all parts of one run work with. */
export interface Stage {
  options: ChaosOptions
  folder: string
  databaseUrl: string
  db: Knex
  sandbox: Sandbox
  course: Course
  trace(line: string): void
}

/** Whether the chaos still goes on. It ends by enough kills, by trouble of the driver's own, or by time. */
export class Course {
  readonly trouble: string[] = []
  readonly #over = new AbortController()

  #timer: NodeJS.Timeout | undefined

  constructor() {
    // A part that pauses listens, and there are as many parts as there are.
    setMaxListeners(0, this.#over.signal)
  }

  get isOver(): boolean {
    return this.#over.signal.aborted
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#over.abort()
  }

  endIn(ms: number): void {
    this.#timer = setTimeout(() => this.end(), ms)
  }

  fail(what: string): void {
    this.trouble.push(what)
    this.end()
  }

  /** Ends early when the chaos does. */
  async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#over.signal }).catch(() => {})
  }

  /** A part that fails ends the others, and not the report. */
  async run(name: string, part: Promise<void>): Promise<void> {
    await part.catch((error: unknown) =>
      this.fail(`${name}: ${error instanceof Error ? error.stack : String(error)}`),
    )
  }

  /** Does it again and again until the chaos is over. */
  async repeat(luck: Luck, pause: { low: number; high: number }, work: () => unknown): Promise<void> {
    while (!this.isOver) {
      await work()
      await this.pause(luck.between(pause.low, pause.high))
    }
  }
}

export function tracer(folder: string): (line: string) => void {
  return (line) => appendFileSync(join(folder, 'trace.log'), `${new Date().toISOString()} ${line}\n`)
}
