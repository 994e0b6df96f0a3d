import type { Script } from './process.js'
import { cpuOf, median, peakRssOf } from './stat.js'

/** What one run of a candidate came to. */
export interface Figures {
  /** Units (users, uploads, permits) in all. */
  done: number
  seconds: number
  per_second: number
  /** CPU of the candidate's process and of the database for each unit, in us. */
  node_us: number
  database_us: number
  rss_mb: number
  /** Of a load: latencies in ms. */
  p50_ms?: number
  p99_ms?: number
  /** Of a load: what was acknowledged in all, its warm-up included. Not in any table. */
  acknowledged?: number
  /** Where the server's log of slow statements was on: how many took more than 200 ms, and the slowest. */
  slow_statements?: number
  slowest_ms?: number
}

/** Of a candidate that has not run. */
export const NOTHING: Figures = {
  done: 0,
  seconds: Number.NaN,
  per_second: Number.NaN,
  node_us: Number.NaN,
  database_us: Number.NaN,
  rss_mb: Number.NaN,
}

const OPTIONAL = ['p50_ms', 'p99_ms', 'slow_statements', 'slowest_ms'] as const

/** The median of each figure over the rounds. */
export function medianOf(rounds: Figures[]): Figures {
  const of = (key: keyof Figures): number => median(rounds.map((one) => one[key] ?? Number.NaN))
  const result: Figures = {
    done: of('done'),
    seconds: of('seconds'),
    per_second: of('per_second'),
    node_us: of('node_us'),
    database_us: of('database_us'),
    rss_mb: of('rss_mb'),
  }
  for (const key of OPTIONAL) if (rounds.some((one) => one[key] !== undefined)) result[key] = of(key)
  return result
}

interface Result {
  done: number
  seconds: number
  acknowledged?: number
  p50_ms?: number
  p99_ms?: number
}

/**
 * Lets a script that is `ready` go, and reads what it and the database have used meanwhile. Of a load, it is the
 * `listener` that is looked at.
 */
export async function measure(
  script: Script,
  databasePid: number | undefined,
  listener: Script = script,
  onStart: () => void = () => {},
): Promise<Figures> {
  const hello = await script.line()
  if (hello !== 'ready') throw new Error(`A candidate said "${hello}" and not "ready"`)
  const used = (pid: number | undefined): number => (pid === undefined ? 0 : cpuOf(pid))
  const before = { node: used(listener.pid), database: used(databasePid) }
  script.tell('go')
  onStart()
  const result = JSON.parse(await script.line()) as Result
  const after = { node: used(listener.pid), database: used(databasePid) }
  const rss = peakRssOf(listener.pid)
  await script.kill()
  const { done, seconds, p50_ms, p99_ms, acknowledged } = result
  return {
    done,
    seconds,
    per_second: done / seconds,
    node_us: (after.node - before.node) / done,
    database_us: (after.database - before.database) / done,
    rss_mb: rss,
    ...(acknowledged === undefined ? {} : { acknowledged }),
    ...(p50_ms === undefined ? {} : { p50_ms }),
    ...(p99_ms === undefined ? {} : { p99_ms }),
  }
}
