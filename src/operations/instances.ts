import type { Knex } from 'knex'
import { withDeadline } from '../lib/deadline.js'
import { DAY_MS } from '../lib/durations.js'
import type { Instance } from '../lib/instance.js'
import type { Logger } from '../lib/logger.js'
import * as store from './instance-store.js'

const HEARTBEAT_MS = 15_000
/** Two heartbeats may fail, and the third be late. */
const GONE_AFTER_MS = 3 * HEARTBEAT_MS
/** For how long one sees that a process was killed. */
const KEEP_MS = DAY_MS
/** More than anybody runs; a crash loop may leave thousands of rows in a day. */
const MAX_LISTED = 100
/** A stop does not wait long for a database that has gone: after 45 s everybody sees the same. */
const FORGET_LIMIT_MS = 2_000

/** One process that runs the service, and an account that it serves, as the JSON answer that HTTP, command line and pages show. */
export interface InstanceAnswer {
  instance: string
  app_id: string
  host: string
  pid: number
  version: string
  started_at: string
  seen_at: string
  /** Whether it gave a sign of life within the last 45 s. If not, it was killed, or cannot reach the database. */
  alive: boolean
}

/**
 * The processes that served an account and were there within the last day and did not stop in order, the
 * last seen first, at most 100. Whether they are alive goes by the database's clock, not by ours.
 */
export async function findInstances(db: Knex, appId: string): Promise<InstanceAnswer[]> {
  const rows = await store.findSeen(db, appId, MAX_LISTED)
  return rows.map(({ instance_id, now, ...row }) => ({
    instance: instance_id,
    app_id: row.app_id,
    host: row.host,
    pid: row.pid,
    version: row.version,
    started_at: new Date(row.started_at).toISOString(),
    seen_at: new Date(row.seen_at).toISOString(),
    alive: Number(now) - row.seen_at <= GONE_AFTER_MS,
  }))
}

export interface Presence {
  /** Tells at once which accounts are served now. Never rejects. */
  update(): Promise<void>
  /** Deletes the rows. Never rejects: whoever looks sees soon enough that the process has gone. */
  end(): Promise<void>
}

/**
 * Tells others that this process is there: writes a row of wx_instance for each account that it serves, and renews them
 * every 15 s. Rows of processes
 * that were killed more than a day ago are deleted. Rejects if the first rows cannot be written.
 */
export async function startPresence(
  { db, log, heartbeatMs = HEARTBEAT_MS }: { db: Knex; log: Logger; heartbeatMs?: number },
  appIds: () => readonly string[],
  instance: Instance,
): Promise<Presence> {
  const startedAt = performance.now()
  let underWay: Promise<void> | undefined
  let failing = false
  let ended = false

  async function beat(): Promise<void> {
    const served = appIds()
    await store.recordSeen(db, served, instance, performance.now() - startedAt)
    await store.deleteInstance(db, instance.id, served)
  }

  function renew(): void {
    underWay ??= beat()
      .then(() => {
        failing = false
      })
      .catch((error: unknown) => {
        // One line, however long the database is away.
        if (!failing)
          log.warn({ event: 'instance.not_seen', err: error }, 'the heartbeat could not be written')
        failing = true
      })
      .finally(() => {
        underWay = undefined
      })
  }

  await store.deleteUnseen(db, KEEP_MS)
  await beat()
  const timer = setInterval(renew, heartbeatMs).unref()
  return {
    async update() {
      await underWay
      if (ended) return
      renew()
      await underWay
    },
    async end() {
      ended = true
      clearInterval(timer)
      const forget = async (): Promise<void> => {
        await underWay
        await store.deleteInstance(db, instance.id)
      }
      await withDeadline(forget(), FORGET_LIMIT_MS).catch((error: unknown) =>
        log.warn({ event: 'instance.not_forgotten', err: error }, 'its rows stay for a day'),
      )
    },
  }
}
