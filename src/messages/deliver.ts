import { createWake } from '../lib/wake.js'
import { createAttempt } from './attempt.js'
import type { DeliverDeps, DeliverOptions, Source } from './delivery.js'
import type { JudgedMessage } from './judged.js'
import { createLeases } from './leases.js'
import type { HeldMessage } from './message.js'
import { createPace } from './pace.js'
import { createSettling } from './settling.js'
import { createStopping } from './stopping.js'
import type { Tally } from './tally.js'
import { isOwnKey } from './verdict.js'

/**
 * Sends what a source claims, with bounded concurrency, and writes every verdict down in groups. The next claim
 * overlaps the sending; at most about two claims and one group of verdicts are in memory. No database connection is
 * held while a request is under way.
 * A `queued` message is marked `sending` right before its request leaves, together with others about to leave. If its
 * permit is not its own key, its verdict is committed before the next message takes its place. So whatever crashes,
 * at most `concurrency` messages are in doubt for good.
 * Throws if the database stays unreachable: what was in hand then lapses, and is taken over with the same permit.
 */
export async function deliverAll(deps: DeliverDeps, source: Source, options: DeliverOptions): Promise<Tally> {
  const { brake, signal, onProgress = () => {} } = options
  const wake = createWake()
  const pace = createPace(deps.concurrency, deps.rate, deps.shares[options.kind])
  const leases = createLeases(deps.db, deps.leaseMs, deps.log)
  const stopping = createStopping(signal, brake, () => {
    pace.stop()
    wake.wake()
  })
  const settling = createSettling(deps, { leases, stopping, wake }, onProgress)
  const attempt = createAttempt(deps, options, { pace, leases, stopping, wake })
  const queue: HeldMessage[] = []
  let claimEnded = false

  async function idle(): Promise<boolean> {
    await wake.until(() => leases.size === 0 || stopping.isStopping())
    return !stopping.isStopping()
  }

  async function claim(): Promise<void> {
    while (!stopping.isStopping()) {
      const batch = await source.next(idle)
      if (!batch) return
      leases.hold(batch)
      queue.push(...batch)
      wake.wake()
      // The next claim overlaps the sending of this one.
      await wake.until(() => queue.length <= batch.length || stopping.isStopping())
    }
  }

  async function work(): Promise<void> {
    for (;;) {
      let message = queue.shift()
      if (message) wake.wake()
      else if (claimEnded) return
      else await wake.next()
      try {
        // With as many permits as it takes.
        while (message) message = await settle(message, await attempt(message))
      } catch (error) {
        stopping.fail(error)
      }
    }
  }

  /** What is to be sent next instead of the message, if its verdict must be on record before that is known. */
  function settle(
    message: HeldMessage,
    judged: JudgedMessage | undefined,
  ): Promise<HeldMessage | undefined> | undefined {
    if (!judged) {
      settling.abandon(message)
      return undefined
    }
    const isAwaited =
      judged.verdict.kind === 'next_permit' ||
      !isOwnKey(message.channel, message.permitSource) ||
      settling.isBacklogged()
    const settled = settling.settle(judged, isAwaited)
    return isAwaited ? settled : undefined
  }

  const workers = Array.from({ length: deps.concurrency }, work)
  await claim().catch(stopping.fail)
  claimEnded = true
  wake.wake()
  await Promise.all(workers)
  await settling.drain()
  leases.stop()
  stopping.end()
  if (stopping.failure !== undefined) throw stopping.failure
  return settling.tally
}
