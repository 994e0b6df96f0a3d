import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import type { Logger } from '../lib/logger.js'
import { compareUserIds, type UserId } from '../lib/user-id.js'
import { closeRun, openRun, type Trigger } from '../schedule/store.js'
import * as store from './store.js'

const CHUNK = 999
/** Lets the uploads through between two chunks. */
const PAUSE_MS = 10
const DAY_MS = 24 * 60 * 60 * 1000

export interface Sweep {
  appId: string
  /** Moment of the firing: the key of the occurrence. */
  slot: number
  triggeredBy: Trigger
}

export interface SweepReport {
  expired: number
  users: number
}

/**
 * Sets unspent permits that ran out to 2 and counts their users down, chunk by chunk, each in its own transaction.
 * Answers undefined if another process has this firing. A sweep that is cut short leaves whole chunks behind; the
 * next one goes on.
 */
export async function expireStale(
  { db, log, signal }: { db: Knex; log: Logger; signal: AbortSignal },
  sweep: Sweep,
  now: number,
  onProgress: (expired: number) => void = () => {},
): Promise<SweepReport | undefined> {
  const { appId, triggeredBy } = sweep
  const { run, opened } = await openRun(
    db,
    { job: 'expire', ...sweep },
    { triggeredBy, state: 'running' },
    now,
  )
  if (!opened) return undefined

  try {
    const from = triggeredBy === 'manual' ? 0 : await lowWater(db, appId, now)
    const { expired, to } = await sweepFrom(from)
    const users = await store.countExpiredUsers(db, appId, from, now)
    await store.recordSweep(db, run.id, { from, to, expired, users })
    await closeRun(
      db,
      run.id,
      signal.aborted ? { state: 'paused', reason: 'stopped' } : { state: 'done', reason: null },
      now,
    )
    log.info(
      { event: 'expire.done', app_id: appId, run_id: run.id, expired, users, from, to },
      'stale permits expired',
    )
    return { expired, users }
  } catch (error) {
    log.error(
      { event: 'expire.failed', app_id: appId, run_id: run.id, err: error },
      'the sweep stopped; the next one goes on',
    )
    await closeRun(db, run.id, { state: 'halted', reason: 'the database failed, see the log' }, now)
    throw error
  }

  async function sweepFrom(from: number): Promise<{ expired: number; to: number }> {
    let expired = 0
    let to = now
    let position: store.StalePermit = { id: 0, expire: from }
    while (!signal.aborted) {
      const stale = await store.findStale(db, appId, position, now, CHUNK)
      const last = stale.at(-1)
      if (!last) break
      const done = await expireChunk(db, appId, stale, now)
      const passedOver = stale.find(({ id }) => !done.has(id))
      if (passedOver) to = Math.min(to, passedOver.expire)
      expired += done.size
      position = last
      onProgress(expired)
      await sleep(PAUSE_MS)
    }
    return { expired, to }
  }
}

/**
 * Where to begin: settled rows stay in the index, so a sweep starts where the last one ended, a day earlier for permits
 * that were given back in between. Once a day it starts at 0 and so finds rows written by hand below that mark.
 */
async function lowWater(db: Knex, appId: string, now: number): Promise<number> {
  return Math.max(0, (await store.findLowWater(db, appId, now - DAY_MS)) - DAY_MS)
}

/** Lock order: permits by id, then counters by user (design: one order everywhere, so no deadlock with the ingest). */
async function expireChunk(
  db: Knex,
  appId: string,
  stale: store.StalePermit[],
  now: number,
): Promise<Set<number>> {
  const ids = stale.map(({ id }) => id).sort((a, b) => a - b)
  return inTransaction(db, async (trx) => {
    const permits = await store.lockUnspent(trx, ids)
    if (permits.length === 0) return new Set()
    const losses = new Map<UserId, number>()
    for (const { user_id } of permits) losses.set(user_id, (losses.get(user_id) ?? 0) + 1)
    const users = [...losses.keys()].sort(compareUserIds)
    await store.lockCounters(trx, appId, users)

    const expiredIds = permits.map(({ id }) => id)
    await store.markExpired(trx, expiredIds, now)
    for (const by of new Set(losses.values())) {
      const losers = users.filter((userId) => losses.get(userId) === by)
      await store.countDown(trx, appId, losers, by, now)
    }
    failpoint('expire.in_transaction')
    return new Set(expiredIds)
  })
}
