import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { expirePermits, type StaleOf } from '../books/index.js'
import { MAX_LIST } from '../db/sql.js'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { sortedUnique } from '../lib/sorted.js'
import type { SweepCount } from '../runs/sweep-progress.js'
import * as store from './store.js'

/**
 * The rest after a chunk, as a share of the time that it took: a slow database gets longer rests. Uploads go
 * through meanwhile.
 */
const REST_SHARE = 0.25
const MIN_REST_MS = 1
/** The number of steps that a killed sweep may lose. */
const RECORD_EVERY = 100
/** How full a chunk by user is meant to be: of one that is too full, a user may be left to the next one. */
const CHUNK_FILL = 0.8 * MAX_LIST
/** Chunks of the same users in a step. Whoever has more permits than that waits for a later step. */
const MAX_CHUNKS = 10
const FIRST_USERS = 150

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
  const { appId, now } = of
  /** Whether users of a chunk by user may have lost permits to this sweep before. */
  let mayHaveLost = false

  /** Expires a chunk, tells how many users lost their first permit of this sweep in it, and rests. */
  async function expireChunk(stale: StaleOf, from: number): Promise<Set<number>> {
    const startedAt = performance.now()
    const { expired, users } = await inTransaction(db, async (trx) => {
      const counted = new Set(mayHaveLost ? await store.findLosers(trx, appId, stale.users, from, now) : [])
      const { expired, users } = await expirePermits(trx, appId, stale, now)
      failpoint('expire.in_transaction')
      return { expired, users: users.filter((userId) => !counted.has(userId)).length }
    })
    onChunk({ expired: expired.size, users })
    await rest(startedAt)
    return expired
  }

  /**
   * Of a backlog, all permits of each user in the range go together: their counter is then written once, and
   * not once in each of many chunks. Returns the ids among `stale` that are left: held by others, or of a user with
   * too many.
   */
  async function expireByUser(
    stale: store.StalePermit[],
    range: { from: number; until: number },
  ): Promise<Set<number>> {
    const left = new Set(stale.map(({ id }) => id))
    const users = sortedUnique(stale.map(({ user_id }) => user_id))
    let size = FIRST_USERS
    for (let first = 0; first < users.length; ) {
      const owners = users.slice(first, first + size)
      first += owners.length
      let expired = 0
      for (let chunk = 0; chunk < MAX_CHUNKS && expired === chunk * MAX_LIST; chunk++) {
        if (signal.aborted) return left
        if (chunk > 0) mayHaveLost = true
        const ids = await expireChunk({ users: owners, ...range }, range.from)
        for (const id of ids) left.delete(id)
        expired += ids.size
      }
      size = Math.min(MAX_LIST, Math.ceil((owners.length * CHUNK_FILL) / Math.max(1, expired)))
    }
    return left
  }

  return async (range, reached, steps = Number.POSITIVE_INFINITY) => {
    const { from, until } = range
    let place: store.Place = { expire: from, id: 0 }
    let passedOver = until
    for (let step = 1; !signal.aborted; step++) {
      const startedAt = performance.now()
      const next = await store.findPlace(db, appId, place, until, of.examined)
      const to = next ?? { expire: until, id: 0 }
      const stale = await store.findStale(db, appId, place, to)
      let left = new Set<number>()
      if (stale.length > MAX_LIST) left = await expireByUser(stale, range)
      else if (stale.length > 0) {
        mayHaveLost = true
        const users = sortedUnique(stale.map(({ user_id }) => user_id))
        const within = { from: stale[0]?.expire ?? from, until: (stale.at(-1)?.expire ?? until) + 1 }
        const expired = await expireChunk({ users, ...within }, from)
        left = new Set(stale.map(({ id }) => id).filter((id) => !expired.has(id)))
      }
      if (signal.aborted && left.size > 0) return false
      if (left.size > 0) mayHaveLost = true
      passedOver = Math.min(passedOver, stale.find(({ id }) => left.has(id))?.expire ?? until)
      place = to
      reached(Math.min(place.expire, passedOver))
      if (!next) {
        mayHaveLost = true
        return true
      }
      if (step >= steps && place.expire > from) return false
      if (step % RECORD_EVERY === 0) await record()
      if (stale.length === 0) await rest(startedAt)
    }
    return false
  }
}

async function rest(startedAt: number): Promise<void> {
  await sleep(Math.max(MIN_REST_MS, (performance.now() - startedAt) * REST_SHARE))
}
