import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { businessDate } from '../lib/business-date.js'
import { groupBy } from '../lib/group-by.js'
import type { Logger } from '../lib/logger.js'
import { pause } from '../lib/pause.js'
import { compareUserIds } from '../lib/user-id.js'
import { closeRun, openRun } from '../schedule/store.js'
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

/**
 * Deletes what was ended more than `retentionDays` ago, a few hundred rows at a time: settled messages, then the spent
 * and expired permits that no message names any more, then runs without messages, sign-ins, and WeChat's events. In this order, and
 * never a row that something young refers to, so that the audit finds the same before and after. One process does it
 * for the account once a day; answers undefined in the others.
 */
export async function purgeOld(
  { db, log, signal }: { db: Knex; log: Logger; signal: AbortSignal },
  { appId, timezone, retentionDays }: Purge,
  now: number,
): Promise<Purged | undefined> {
  const occurrence = { job: 'purge', appId, slot: businessDate(now, timezone) } as const
  const { run, opened } = await openRun(db, occurrence, { triggeredBy: 'cron', state: 'running' }, now)
  if (!opened) return undefined
  const before = now - retentionDays * DAY_MS

  async function purgeTable(
    table: Parameters<typeof store.deleteRows>[1],
    read: (db: Knex, after: number, before: number, limit: number) => Promise<store.Slice>,
    beforeDeletion: (trx: Knex, ids: number[]) => Promise<void> = async () => {},
  ): Promise<number> {
    let deleted = 0
    for (let position: number | undefined = 0; position !== undefined && !signal.aborted; ) {
      const { old, next } = await read(db, position, before, CHUNK)
      if (old.length > 0) {
        deleted += await inTransaction(db, async (trx) => {
          await beforeDeletion(trx, old)
          return store.deleteRows(trx, table, old)
        })
        await pause(PAUSE_MS, signal)
      }
      position = next
    }
    return deleted
  }

  async function purgeSignIns(): Promise<number> {
    const beforeDay = oldestKept(now, retentionDays, timezone)
    let deleted = 0
    while (!signal.aborted) {
      const rows = await store.findOldSignIns(db, beforeDay, CHUNK)
      if (rows.length === 0) break
      for (const group of groupBy(rows, (row) => `${row.app_id} ${row.day}`).values()) {
        const [first] = group
        if (!first) continue
        const users = group.map((row) => row.user_id).sort(compareUserIds)
        deleted += await inTransaction(db, (trx) => store.deleteSignIns(trx, first.app_id, first.day, users))
      }
      await pause(PAUSE_MS, signal)
    }
    return deleted
  }

  const purged: Purged = {
    messages: await purgeTable('wx_push_message', store.readMessages),
    permits: await purgeTable('wx_save_form_id', store.readPermits),
    runs: await purgeTable('wx_job_run', store.readRuns, store.deleteCursors),
    signIns: await purgeSignIns(),
    events: await purgeTable('wx_callback_event', (db, after, before, limit) =>
      store.readReceived(db, 'wx_callback_event', { after, before, limit }),
    ),
  }
  // A push is refused for its age long before.
  await purgeTable('wx_callback_nonce', (db, after, _, limit) =>
    store.readReceived(db, 'wx_callback_nonce', { after, before: now - DAY_MS, limit }),
  )
  const { messages, permits, runs, signIns, events } = purged
  await store.recordPurge(db, run.id, messages + permits + runs + signIns + events)
  await closeRun(
    db,
    run.id,
    signal.aborted ? { state: 'paused', reason: 'stopped' } : { state: 'done', reason: null },
    now,
  )
  log.info({ event: 'purge.done', app_id: appId, before, ...purged }, 'old rows deleted')
  return purged
}
