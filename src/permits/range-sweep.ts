import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { expirePermits } from '../books/index.js'
import { MAX_LIST } from '../db/sql.js'
import { inTransaction } from '../db/transaction.js'
import { chunks } from '../lib/chunks.js'
import { failpoint } from '../lib/failpoint.js'
import { sortedUnique } from '../lib/sorted.js'
import type { SweepCount } from '../runs/sweep-progress.js'
import * as store from './store.js'

/** Lets uploads through between two chunks. */
const PAUSE_MS = 10
/** The number of steps that a killed sweep may lose. */
const RECORD_EVERY = 100

/**
 * Expires what is stale between two times. Tells `reached`, as it grows, the `expire` up to which nothing is
 * left. Returns whether it reached the end; it stops after `steps`, though never among rows of one `expire`,
 * because it could not go on from there.
 */
export type RangeSweep = (
  range: { from: number; until: number },
  reached: (expire: number) => void,
  steps?: number,
) => Promise<boolean>

/** `of.now` is that of the whole sweep; one statement examines `examined` rows. */
export function createRangeSweep(
  db: Knex,
  signal: AbortSignal,
  of: { appId: string; now: number; examined: number },
  record: () => Promise<void>,
  onChunk: (chunk: SweepCount) => void,
): RangeSweep {
  const { appId } = of
  return async ({ from, until }, reached, steps = Number.POSITIVE_INFINITY) => {
    let place: store.Place = { expire: from, id: 0 }
    let passedOver = until
    const moveTo = (next: store.Place): void => {
      place = next
      reached(Math.min(place.expire, passedOver))
    }
    for (let step = 1; !signal.aborted; step++) {
      const next = await store.findPlace(db, appId, place, until, of.examined)
      const to = next ?? { expire: until, id: 0 }
      const stale = await store.findStale(db, appId, place, to)
      for (const chunk of chunks(stale, MAX_LIST)) {
        if (signal.aborted) return false
        const { ids, users } = await expireChunk(db, { appId, from, now: of.now }, chunk)
        passedOver = Math.min(passedOver, chunk.find(({ id }) => !ids.has(id))?.expire ?? until)
        moveTo(chunk.at(-1) ?? to)
        onChunk({ expired: ids.size, users })
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

/** Returns the permits it expired, and how many users lost their first permit of this sweep. */
async function expireChunk(
  db: Knex,
  { appId, from, now }: { appId: string; from: number; now: number },
  stale: store.StalePermit[],
): Promise<{ ids: Set<number>; users: number }> {
  const ids = stale.map(({ id }) => id)
  const owners = sortedUnique(stale.map(({ user_id }) => user_id))
  return inTransaction(db, async (trx) => {
    const counted = new Set(await store.findLosers(trx, appId, owners, from, now))
    const { expired, users } = await expirePermits(trx, appId, ids, now)
    failpoint('expire.in_transaction')
    return { ids: expired, users: users.filter((userId) => !counted.has(userId)).length }
  })
}
