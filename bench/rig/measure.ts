import type { Script } from './process.js'
import { cpuOf, peakRssOf } from './stat.js'

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
}

interface Result {
  done: number
  seconds: number
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
): Promise<Figures> {
  const hello = await script.line()
  if (hello !== 'ready') throw new Error(`A candidate said "${hello}" and not "ready"`)
  const used = (pid: number | undefined): number => (pid === undefined ? 0 : cpuOf(pid))
  const before = { node: used(listener.pid), database: used(databasePid) }
  script.tell('go')
  const result = JSON.parse(await script.line()) as Result
  const after = { node: used(listener.pid), database: used(databasePid) }
  const rss = peakRssOf(listener.pid)
  await script.kill()
  const { done, seconds, p50_ms, p99_ms } = result
  return {
    done,
    seconds,
    per_second: done / seconds,
    node_us: (after.node - before.node) / done,
    database_us: (after.database - before.database) / done,
    rss_mb: rss,
    ...(p50_ms === undefined ? {} : { p50_ms }),
    ...(p99_ms === undefined ? {} : { p99_ms }),
  }
}
