import { MAX_LIST } from '../db/sql.js'
import { createGroupCommit } from '../lib/group-commit.js'
import type { Wake } from '../lib/wake.js'
import type { DeliverDeps } from './delivery.js'
import type { JudgedMessage } from './judged.js'
import type { Leases } from './leases.js'
import { type HeldMessage, traceIdOf } from './message.js'
import { settleBatch } from './settle.js'
import type { Stopping } from './stopping.js'
import { addTallies, emptyTally, type Tally } from './tally.js'

/** As many as a claim holds. */
const GROUP = 500
/**
 * For how long verdicts gather that nobody awaits. After a crash, the requests of that time are made again
 * and answered 41029. Gathering took the database from 57 to 53 us a user (`npm run bench -- --only 'daily run, 0 ms'`).
 */
const GATHER_MS = 250

/** Writes down the verdicts of one delivery, in groups, and releases the messages. */
export interface Settling {
  /**
   * Resolves after the commit, with the same message and its next permit if that is what follows. Never rejects.
   * Verdicts that nobody awaits gather for a while.
   */
  settle(judged: JudgedMessage, isAwaited: boolean): Promise<HeldMessage | undefined>
  /** Leaves a message to whoever took it over. */
  abandon(message: HeldMessage): void
  /** Whether too many verdicts wait to be written for more requests to start. */
  isBacklogged(): boolean
  drain(): Promise<void>
  readonly tally: Tally
}

export function createSettling(
  { db, log, now, observe }: DeliverDeps,
  { leases, stopping, wake }: { leases: Leases; stopping: Stopping; wake: Wake },
  onProgress: (tally: Tally) => void,
): Settling {
  let tally = emptyTally()
  let unsettled = 0
  let awaited = 0
  let onGathered: (() => void) | undefined

  function count(settled: Tally): void {
    tally = addTallies(tally, settled)
    observe.settled(settled)
  }

  const isWorthCommitting = (): boolean =>
    awaited > 0 || unsettled >= GROUP || unsettled >= leases.size || stopping.isStopping()

  function look(): void {
    if (isWorthCommitting()) onGathered?.()
  }

  async function gather(): Promise<void> {
    if (isWorthCommitting()) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GATHER_MS)
      onGathered = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    onGathered = undefined
  }

  const groups = createGroupCommit<JudgedMessage, HeldMessage | undefined>({
    async commit(judged) {
      const { next, tally: settled } = await settleBatch(db, judged, now())
      count(settled)
      for (const [i, { message }] of judged.entries()) if (!next[i]) leases.release(message)
      await leases.closeReleased()
      // Once for the group: each call has everyone who waits look again.
      wake.wake()
      return next
    },
    gather,
    weigh: () => 1,
    mayBeOneItemsFault: () => false,
    maxGroupWeight: MAX_LIST,
    maxWaitingWeight: Number.POSITIVE_INFINITY,
  })
  return {
    async settle(judged, isAwaited) {
      unsettled++
      if (isAwaited) awaited++
      try {
        look()
        const next = await groups.add(judged)
        onProgress(tally)
        return next
      } catch (error) {
        stopping.fail(error)
        leases.leave(judged.message)
        wake.wake()
        return undefined
      } finally {
        unsettled--
        if (isAwaited) awaited--
      }
    },
    abandon(message) {
      log.warn(
        { event: 'lease.lapsed', trace_id: traceIdOf(message.id), message_id: message.id },
        'left to the process that took it over',
      )
      leases.leave(message)
      look()
      count({ ...emptyTally(), lost: 1 })
      wake.wake()
    },
    isBacklogged: () => unsettled >= MAX_LIST,
    drain: () => groups.drain(),
    get tally() {
      return tally
    },
  }
}
