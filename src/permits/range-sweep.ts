import type { Knex } from 'knex'
import { createRest } from '../db/rest.js'
import { MAX_LIST } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { SweepCount } from '../runs/sweep-progress.js'
import * as store from './store.js'
import { createSweepChunks, type Range } from './sweep-chunks.js'

/** The number of steps that a killed sweep may lose. */
const RECORD_EVERY = 100
/** Users who are remembered as cleared, in some 20 MB. The permits of others are looked up again. */
const MAX_CLEARED = 500_000

/**
 * Expires what is stale between two times. Tells `reached`, as it grows, the `expire` up to which nothing is
 * left. Returns whether it reached the end; it stops after `steps`, though never among rows of one `expire`,
 * because it could not go on from there.
 */
export type RangeSweep = (range: Range, reached: (expire: number) => void, steps?: number) => Promise<boolean>

/** `of.now` is that of the whole sweep; one statement examines `examined` rows. */
export function createRangeSweep(
  db: Knex,
  signal: AbortSignal,
  of: { appId: string; now: number; examined: number },
  record: () => Promise<void>,
  onChunk: (chunk: SweepCount) => void,
): RangeSweep {
  const { appId, now, examined } = of
  const rest = createRest(db, signal)
  const chunks = createSweepChunks(db, signal, { appId, now, rest }, onChunk)

  return async (range, reached, steps = Number.POSITIVE_INFINITY) => {
    const { from, until } = range
    const cleared = new Set<UserId>()
    let place: store.Place = { expire: from, id: 0 }
    let passedOver = until
    for (let step = 1; !signal.aborted; step++) {
      const startedAt = performance.now()
      const { next, stale } = await findNext(place, until, cleared)
      let left: store.Entry[] = []
      if (stale.length > MAX_LIST) {
        const swept = await chunks.byUser(stale, range)
        left = swept.left
        for (const userId of swept.cleared) if (cleared.size < MAX_CLEARED) cleared.add(userId)
      } else if (stale.length > 0) left = await chunks.together(stale, range)
      if (signal.aborted && left.length > 0) return false
      if (left.length > 0) chunks.mayMeetAgain()
      passedOver = Math.min(passedOver, left[0]?.expire ?? until)
      place = next ?? { expire: until, id: 0 }
      reached(Math.min(place.expire, passedOver))
      if (!next) {
        chunks.mayMeetAgain()
        return true
      }
      if (step >= steps && place.expire > from) return false
      if (step % RECORD_EVERY === 0) await record()
      if (stale.length === 0) await rest.after(startedAt)
    }
    return false
  }

  /** The unspent ones of the next permits, and the place after these; undefined at the end. */
  async function findNext(
    place: store.Place,
    until: number,
    cleared: Set<UserId>,
  ): Promise<{ next: store.Place | undefined; stale: store.Entry[] }> {
    const ahead = cleared.size > 0 ? await store.findEntries(db, appId, place, until, examined) : undefined
    const next = ahead ? ahead[examined - 1] : await store.findPlace(db, appId, place, until, examined)
    // Their rows need not be looked up to know that they are settled.
    if (ahead?.every(({ user_id }) => cleared.has(user_id))) return { next, stale: [] }
    return { next, stale: await store.findStale(db, appId, place, next ?? { expire: until, id: 0 }) }
  }
}
