import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { businessDate } from '../lib/business-date.js'
import { chunks } from '../lib/chunks.js'
import { groupBy } from '../lib/group-by.js'
import type { Logger } from '../lib/logger.js'
import { pause } from '../lib/pause.js'
import { compareUserIds } from '../lib/user-id.js'
import { findPlace, type Place } from '../permits/store.js'
import { NEVER_EXPIRES } from '../permits/subscriptions.js'
import { closeRun, findLastRun, openRun } from '../runs/occurrences.js'
import { oldestKept } from '../sign-ins/sign-in.js'
import * as store from './store.js'

const CHUNK = 500
/** A purge has all night; what runs beside it must hardly notice. */
const PAUSE_MS = 50
const DAY_MS = 24 * 60 * 60 * 1000

export interface Purge {
  appId: string
  timezone: string
  retentionDays: number
}

export interface Purged {
  messages: number
  permits: number
  runs: number
  signIns: number
  events: number
}

/** When a purge that failed is tried again on the same day. */
const RETRY_MS = 10 * 60 * 1000

/**
 * Deletes what was ended more than `retentionDays` ago, a few hundred rows at a time: settled messages together with
 * their permits once both are that old, then the spent and expired permits of no message, then runs without messages,
 * sign-ins, and WeChat's events. Never a row that something young refers to, so that the audit finds the same before
 * and after. One process does it for the account once a day; answers undefined in the others.
 */
export async function purgeOld(
  { db, log, signal }: { db: Knex; log: Logger; signal: AbortSignal },
  { appId, timezone, retentionDays }: Purge,
  now: number,
): Promise<Purged | undefined> {
  const opened = await openPurge(db, appId, businessDate(now, timezone), now)
  if (opened === undefined) return undefined
  const runId = opened
  const before = now - retentionDays * DAY_MS
  const wanted = { appId, before, limit: CHUNK }
  const purged: Purged = { messages: 0, permits: 0, runs: 0, signIns: 0, events: 0 }

  try {
    await purgeAll()
    await close(signal.aborted ? { state: 'paused', reason: 'stopped' } : { state: 'done', reason: null })
  } catch (error) {
    log.error({ event: 'purge.failed', app_id: appId, run_id: runId, err: error }, 'it is tried again later')
    // Where this fails as well, the next day's purge ends the run.
    await close({ state: 'halted', reason: 'the database failed, see the log' }).catch(() => {})
    throw error
  }
  log.info({ event: 'purge.done', app_id: appId, before, ...purged }, 'old rows deleted')
  return purged

  async function purgeAll(): Promise<void> {
    await purgeTable(store.readMessages, removeMessages)
    await purgePermits({ expire: 0, id: 0 }, before)
    await purgePermits({ expire: NEVER_EXPIRES, id: 0 }, NEVER_EXPIRES + 1)
    await purgeTable(store.readRuns, async (trx, ids) => {
      await store.deleteCursors(trx, ids)
      return { runs: await store.deleteRows(trx, 'wx_job_run', ids) }
    })
    await purgeSignIns()
    await purgeTable(
      (on) => store.readReceived(on, 'wx_callback_event', wanted),
      async (trx, ids) => ({ events: await store.deleteRows(trx, 'wx_callback_event', ids) }),
    )
    // A push is refused for its age long before.
    const marks = { ...wanted, before: now - DAY_MS }
    await purgeTable(
      (on) => store.readReceived(on, 'wx_callback_nonce', marks),
      async (trx, ids) => {
        await store.deleteRows(trx, 'wx_callback_nonce', ids)
        return {}
      },
    )
  }

  async function close(ending: Parameters<typeof closeRun>[2]): Promise<void> {
    const { messages, permits, runs, signIns, events } = purged
    await store.recordPurge(db, runId, messages + permits + runs + signIns + events)
    await closeRun(db, runId, ending, now)
  }

  async function remove(work: (trx: Knex) => Promise<Partial<Purged>>): Promise<void> {
    // Counted after the commit: a transaction that met another one is begun anew.
    const removed = await inTransaction(db, work)
    for (const kind of Object.keys(purged) as (keyof Purged)[]) purged[kind] += removed[kind] ?? 0
    await pause(PAUSE_MS, signal)
  }

  async function purgeTable(
    read: (db: Knex, after: number, wanted: store.Wanted) => Promise<store.Slice>,
    removeRows: (trx: Knex, ids: number[]) => Promise<Partial<Purged>>,
  ): Promise<void> {
    for (let position: number | undefined = 0; position !== undefined && !signal.aborted; ) {
      const { old, next } = await read(db, position, wanted)
      if (old.length > 0) await remove((trx) => removeRows(trx, old))
      position = next
    }
  }

  /** Lock order: permits, then messages. A message whose permits are not all old stays with them. */
  async function removeMessages(trx: Knex, ids: number[]): Promise<Partial<Purged>> {
    const permits = await store.findPermitsOf(trx, ids, wanted)
    const kept = new Set(permits.filter(({ is_old }) => is_old === 0).map(({ message_id }) => message_id))
    const going = permits.filter(({ message_id }) => !kept.has(message_id)).map(({ id }) => id)
    let deleted = 0
    for (const chunk of chunks(
      going.sort((a, b) => a - b),
      CHUNK,
    ))
      deleted += await store.deleteRows(trx, 'wx_save_form_id', chunk)
    const messages = ids.filter((id) => !kept.has(id))
    if (messages.length === 0) return {}
    return { permits: deleted, messages: await store.deleteRows(trx, 'wx_push_message', messages) }
  }

  async function purgePermits(from: Place, until: number): Promise<void> {
    for (let place: Place | undefined = from; place && !signal.aborted; ) {
      const next: Place | undefined = await findPlace(db, appId, place, until, CHUNK)
      const ids = await store.findOldPermits(db, place, next ?? { expire: until, id: 0 }, wanted)
      if (ids.length > 0)
        await remove(async (trx) => ({ permits: await store.deleteRows(trx, 'wx_save_form_id', ids) }))
      place = next
    }
  }

  async function purgeSignIns(): Promise<void> {
    const beforeDay = oldestKept(now, retentionDays, timezone)
    while (!signal.aborted) {
      const rows = await store.findOldSignIns(db, appId, beforeDay, CHUNK)
      if (rows.length === 0) return
      for (const [day, group] of groupBy(rows, (row) => row.day)) {
        const users = group.map((row) => row.user_id).sort(compareUserIds)
        await remove(async (trx) => ({ signIns: await store.deleteSignIns(trx, appId, day, users) }))
      }
    }
  }
}

/** Opens the day's purge, or goes on with one that failed. The run is ours, or somebody else has it. */
async function openPurge(db: Knex, appId: string, day: number, now: number): Promise<number | undefined> {
  const last = await findLastRun(db, 'purge', appId)
  // Its process died. On the same day it may as well be at work.
  if (last?.state === 'running' && last.slot < day)
    await closeRun(db, last.id, { state: 'halted', reason: 'its process ended' }, now)
  const occurrence = { job: 'purge', appId, slot: day } as const
  const { run, opened } = await openRun(db, occurrence, { triggeredBy: 'cron', state: 'running' }, now)
  if (opened || (await store.reopenPurge(db, run.id, now - RETRY_MS, now))) return run.id
  return undefined
}
