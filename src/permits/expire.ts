import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { chunks } from '../lib/chunks.js'
import { failpoint } from '../lib/failpoint.js'
import type { Logger } from '../lib/logger.js'
import { compareUserIds, type UserId } from '../lib/user-id.js'
import { closeRun, openRun, type Trigger } from '../runs/occurrences.js'
import * as store from './store.js'

const CHUNK = 999
/** Lets the uploads through between two chunks. */
const PAUSE_MS = 10
const DAY_MS = 24 * 60 * 60 * 1000
const LIMITS = {
  /** Rows that one statement examines: some ms, and a second from a cold disk. Most may be settled long ago. */
  examined: 2 * CHUNK,
  /** Of one scheduled sweep, through the rows far below its mark: two million, so that fresh ones never wait long. */
  passSteps: 1_000,
}
/** How many steps a sweep that is killed may lose. */
const RECORD_EVERY = 100

export interface Sweep {
  appId: string
  /** Moment of the firing: the key of the occurrence. */
  slot: number
  triggeredBy: Trigger
}

export type SweepReport = store.SweepCount

/**
 * Sets unspent permits that ran out to 2 and counts their users down, chunk by chunk, each in its own transaction.
 * Answers undefined if another process has this firing. A sweep that is cut short leaves whole chunks behind; the
 * next one goes on from there.
 *
 * Settled rows stay in the index, so a sweep starts where the last one ended, a day earlier for permits that were given
 * back in between. Rows written by hand below that mark are found by a pass through all of them: it begins once a day
 * and goes on for a while after each sweep, two million rows at a time. A sweep by hand does the whole pass at once.
 */
export async function expireStale(
  { db, log, signal }: { db: Knex; log: Logger; signal: AbortSignal },
  sweep: Sweep,
  now: number,
  onProgress: (expired: number) => void = () => {},
  limits = LIMITS,
): Promise<SweepReport | undefined> {
  const { appId, triggeredBy } = sweep
  const { run, opened } = await openRun(
    db,
    { job: 'expire', ...sweep },
    { triggeredBy, state: 'running' },
    now,
  )
  if (!opened) return undefined

  const done: SweepReport = { expired: 0, users: 0 }
  try {
    const last = await store.findProgress(db, appId)
    const from = Math.max(0, (last?.sweptTo ?? 0) - DAY_MS)
    const progress = { from, sweptTo: last?.sweptTo ?? 0, ...passOf(last, triggeredBy, now) }
    const record = () => store.recordSweep(db, run.id, { ...progress, ...done })
    try {
      await sweepRange({ from, until: now }, record, (expire) => {
        progress.sweptTo = Math.max(progress.sweptTo, expire)
      })
      if (progress.passAt !== null && !signal.aborted) {
        const range = { from: progress.passAt, until: from }
        const steps = triggeredBy === 'manual' ? Number.POSITIVE_INFINITY : limits.passSteps
        const isOver = await sweepRange(range, record, (expire) => (progress.passAt = expire), steps)
        if (isOver) progress.passAt = null
      }
    } finally {
      await record()
    }
    await closeRun(
      db,
      run.id,
      signal.aborted ? { state: 'paused', reason: 'stopped' } : { state: 'done', reason: null },
      now,
    )
    log.info(
      {
        event: 'expire.done',
        app_id: appId,
        run_id: run.id,
        ...done,
        from,
        to: progress.sweptTo,
        pass_at: progress.passAt,
      },
      'stale permits expired',
    )
    return done
  } catch (error) {
    log.error(
      { event: 'expire.failed', app_id: appId, run_id: run.id, err: error },
      'the sweep stopped; the next one goes on',
    )
    await closeRun(db, run.id, { state: 'halted', reason: 'the database failed, see the log' }, now)
    throw error
  }

  /**
   * Tells `reached` the `expire` up to which nothing is left behind, as it grows. Answers whether it came to the end;
   * after `steps` it stops, though never among rows of one `expire`, where it could not go on.
   */
  async function sweepRange(
    { from, until }: { from: number; until: number },
    record: () => Promise<void>,
    reached: (expire: number) => void,
    steps = Number.POSITIVE_INFINITY,
  ): Promise<boolean> {
    let place: store.Place = { expire: from, id: 0 }
    let passedOver = until
    const moveTo = (next: store.Place) => {
      place = next
      reached(Math.min(place.expire, passedOver))
    }
    for (let step = 1; !signal.aborted; step++) {
      const next = await store.findPlace(db, appId, place, until, limits.examined)
      const to = next ?? { expire: until, id: 0 }
      const stale = await store.findStale(db, appId, place, to)
      for (const chunk of chunks(stale, CHUNK)) {
        if (signal.aborted) return false
        const { ids, users } = await expireChunk(db, appId, chunk, from, now)
        passedOver = Math.min(passedOver, chunk.find(({ id }) => !ids.has(id))?.expire ?? until)
        done.expired += ids.size
        done.users += users
        moveTo(chunk.at(-1) ?? to)
        onProgress(done.expired)
        await sleep(PAUSE_MS)
      }
      moveTo(to)
      if (!next) return true
      if (step >= steps && place.expire > from) return false
      if (step % RECORD_EVERY === 0) await record()
      if (stale.length === 0) await sleep(PAUSE_MS)
    }
    return false
  }
}

/** Which pass through all older rows this sweep has part in. The first sweep of an account is such a pass itself. */
function passOf(
  last: store.Progress | undefined,
  triggeredBy: Trigger,
  now: number,
): Pick<store.Progress, 'passStartedAt' | 'passAt'> {
  if (!last) return { passStartedAt: now, passAt: null }
  const { passStartedAt, passAt } = last
  const isDue = triggeredBy === 'manual' || (passAt === null && now - passStartedAt >= DAY_MS)
  return isDue ? { passStartedAt: now, passAt: 0 } : { passStartedAt, passAt }
}

/**
 * Lock order: permits by id, then counters by user (design: one order everywhere, so no deadlock with the ingest).
 * Answers which permits it took, and how many users lost their first one of this sweep.
 */
async function expireChunk(
  db: Knex,
  appId: string,
  stale: store.Place[],
  from: number,
  now: number,
): Promise<{ ids: Set<number>; users: number }> {
  const ids = stale.map(({ id }) => id).sort((a, b) => a - b)
  return inTransaction(db, async (trx) => {
    const permits = await store.lockUnspent(trx, ids)
    if (permits.length === 0) return { ids: new Set(), users: 0 }
    const losses = new Map<UserId, number>()
    for (const { user_id } of permits) losses.set(user_id, (losses.get(user_id) ?? 0) + 1)
    const users = [...losses.keys()].sort(compareUserIds)
    await store.lockCounters(trx, appId, users)
    const counted = await store.findLosers(trx, appId, users, from, now)

    const expiredIds = permits.map(({ id }) => id)
    await store.markExpired(trx, expiredIds, now)
    for (const by of new Set(losses.values())) {
      const losers = users.filter((userId) => losses.get(userId) === by)
      await store.countDown(trx, appId, losers, by, now)
    }
    failpoint('expire.in_transaction')
    return { ids: new Set(expiredIds), users: users.length - counted.length }
  })
}
