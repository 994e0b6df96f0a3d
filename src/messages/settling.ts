import { MAX_LIST } from '../db/sql.js'
import { createGroupCommit } from '../lib/group-commit.js'
import type { Wake } from '../lib/wake.js'
import type { DeliverDeps } from './delivery.js'
import type { JudgedMessage } from './judged.js'
import type { Leases } from './leases.js'
import type { HeldMessage } from './message.js'
import { settleBatch } from './settle.js'
import type { Stopping } from './stopping.js'
import { addTallies, emptyTally, type Tally } from './tally.js'

/** Writes down the verdicts of one delivery, in groups, and releases the messages. */
export interface Settling {
  /** Resolves after the commit, with the same message and its next permit if that is what follows. Never rejects. */
  settle(judged: JudgedMessage): Promise<HeldMessage | undefined>
  /** Leaves a message to whoever took it over. */
  abandon(message: HeldMessage): void
  /** Whether too many verdicts wait to be written for more requests to start. */
  isBacklogged(): boolean
  drain(): Promise<void>
  readonly tally: Tally
}

export function createSettling(
  { db, leaseMs, log, now }: DeliverDeps,
  { leases, stopping, wake }: { leases: Leases; stopping: Stopping; wake: Wake },
  onProgress: (tally: Tally) => void,
): Settling {
  let tally = emptyTally()
  let unsettled = 0
  const groups = createGroupCommit<JudgedMessage, HeldMessage | undefined>({
    async commit(judged) {
      const settled = await settleBatch(db, judged, { leaseMs, now: now() })
      tally = addTallies(tally, settled.tally)
      return settled.next
    },
    weigh: () => 1,
    mayBeOneItemsFault: () => false,
    maxGroupWeight: MAX_LIST,
    maxWaitingWeight: Number.POSITIVE_INFINITY,
  })
  return {
    async settle(judged) {
      unsettled++
      try {
        const next = await groups.add(judged)
        if (next) leases.hold([next])
        else leases.release(judged.message.id)
        onProgress(tally)
        return next
      } catch (error) {
        stopping.fail(error)
        leases.release(judged.message.id)
        return undefined
      } finally {
        unsettled--
        wake.wake()
      }
    },
    abandon(message) {
      log.warn(
        { event: 'lease.lapsed', trace_id: message.traceId, message_id: message.id },
        'left to the process that took it over',
      )
      leases.release(message.id)
      tally = addTallies(tally, { ...emptyTally(), lost: 1 })
      wake.wake()
    },
    isBacklogged: () => unsettled >= MAX_LIST,
    drain: () => groups.drain(),
    get tally() {
      return tally
    },
  }
}
