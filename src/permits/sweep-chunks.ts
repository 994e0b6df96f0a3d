import type { Knex } from 'knex'
import { expireAll, expireFree, PermitsMoved, type StaleOf } from '../books/index.js'
import { isContention } from '../db/errors.js'
import type { Rest } from '../db/rest.js'
import { isSqlite, MAX_LIST } from '../db/sql.js'
import { inTransaction } from '../db/transaction.js'
import { chunks as inSlices } from '../lib/chunks.js'
import { failpoint } from '../lib/failpoint.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import type { SweepCount } from '../runs/sweep-progress.js'
import * as store from './store.js'

/** How full a chunk by user is meant to be: of one that is too full, a user may be left to the next one. */
const CHUNK_FILL = 0.8 * MAX_LIST
const FIRST_USERS = 150
/** Chunks under way at once while nobody else writes: the process works on one while the database works on another. */
const LANES = 2

/** From one `expire` to before another. */
export interface Range {
  from: number
  until: number
}

/** What has become of some stale permits. */
export interface Swept {
  /** Those that may still be there, because others hold them. */
  left: store.Entry[]
  /** Users of whom nothing is left up to the end of the range. */
  cleared: UserId[]
}

export interface SweepChunks {
  /** Expires at most MAX_LIST permits, in one chunk. Returns those that others hold. */
  together(stale: store.Entry[], range: Range): Promise<store.Entry[]>
  /**
   * Of a backlog, all permits of each user up to the end of the range go together: their counter is then written
   * once, and not once in each of many chunks.
   */
  byUser(stale: store.Entry[], range: Range): Promise<Swept>
  /** Tells that users of later chunks may have lost permits to this sweep before. */
  mayMeetAgain(): void
}

/** The chunks of one sweep, each in its own transaction and with a rest after it. `of.now` is that of the whole sweep. */
export function createSweepChunks(
  db: Knex,
  signal: AbortSignal,
  of: { appId: string; now: number; rest: Rest },
  onChunk: (chunk: SweepCount) => void,
): SweepChunks {
  const { appId, now, rest } = of
  let mayHaveLost = false
  /** Users in a chunk. */
  let size = FIRST_USERS

  /** Expires a chunk, tells how many users lost their first permit of this sweep in it, and rests. */
  async function expireChunk(
    stale: StaleOf,
    from: number,
    wantsAll = false,
  ): Promise<{ ids: Set<number>; isAll: boolean }> {
    const startedAt = performance.now()
    const by = (expire: typeof expireAll) => async (trx: Knex.Transaction) => {
      const counted = new Set(mayHaveLost ? await store.findLosers(trx, appId, stale.users, from, now) : [])
      const { ids, users } = await expire(trx, appId, stale, now)
      failpoint('expire.in_transaction')
      return { ids, users: users.filter((userId) => !counted.has(userId)).length }
    }
    const all = wantsAll ? await unlessHeld(() => db.transaction(by(expireAll))) : undefined
    const { ids, users } = all ?? (await inTransaction(db, by(expireFree)))
    onChunk({ expired: ids.size, users })
    await rest.after(startedAt)
    return { ids, isAll: all !== undefined && ids.size < MAX_LIST }
  }

  /** Expires all that these users have. Returns the ids, and whether none was passed over. */
  async function clear(users: UserId[], within: Range, from: number): ReturnType<typeof expireChunk> {
    const ids = new Set<number>()
    for (;;) {
      const chunk = await expireChunk({ users, ...within }, from, true)
      for (const id of chunk.ids) ids.add(id)
      if (chunk.ids.size < MAX_LIST || signal.aborted) return { ids, isAll: chunk.isAll }
      mayHaveLost = true
    }
  }

  /** Users who are far apart, because a range of them is locked up to the first permit after it. */
  function inLanes(users: UserId[]): UserId[][] {
    if (isSqlite(db) || !rest.isQuiet() || users.length < LANES * size) return [users]
    return inSlices(users, Math.ceil(users.length / LANES))
  }

  return {
    async together(stale, { from }) {
      mayHaveLost = true
      const [first, last] = [stale[0], stale.at(-1)]
      if (!first || !last) return []
      const within = { from: first.expire, until: last.expire + 1 }
      const { ids } = await expireChunk({ users: usersOf(stale), ...within }, from)
      return stale.filter(({ id }) => !ids.has(id))
    },
    async byUser(stale, { from, until }) {
      const within = { from: stale[0]?.expire ?? from, until }
      const cleared: UserId[] = []
      const expired = new Set<number>()
      let hasFailed = false
      async function lane(users: UserId[]): Promise<void> {
        for (let next = 0; next < users.length && !signal.aborted && !hasFailed; ) {
          const owners = users.slice(next, next + size)
          next += owners.length
          const { ids, isAll } = await clear(owners, within, from)
          if (isAll) cleared.push(...owners)
          else for (const id of ids) expired.add(id)
          size = Math.min(MAX_LIST, Math.ceil((owners.length * CHUNK_FILL) / Math.max(1, ids.size)))
        }
      }
      const work = inLanes(usersOf(stale)).map((users) =>
        lane(users).catch((error: unknown) => {
          hasFailed = true
          throw error
        }),
      )
      // Nothing is under way any more when this ends.
      for (const end of await Promise.allSettled(work)) if (end.status === 'rejected') throw end.reason
      const gone = new Set(cleared)
      return { cleared, left: stale.filter(({ id, user_id }) => !gone.has(user_id) && !expired.has(id)) }
    },
    mayMeetAgain() {
      mayHaveLost = true
    },
  }
}

/** What the work returns; undefined if another transaction was in its way. */
async function unlessHeld<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (isContention(error) || error instanceof PermitsMoved) return undefined
    throw error
  }
}

function usersOf(permits: store.Entry[]): UserId[] {
  return sortedUnique(permits.map(({ user_id }) => user_id))
}
