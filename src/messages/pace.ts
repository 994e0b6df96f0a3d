import { setMaxListeners } from 'node:events'
import { SECOND_MS } from '../lib/durations.js'
import type { Rate } from './rate.js'
import type { Share } from './shares.js'

/** How many requests may be under way at once, and when the next may start. */
export interface Pace {
  /** Resolves when a request may start. */
  enter(): Promise<void>
  /** A request that entered is over. `went_well`: WeChat accepted it; `slow_down`: WeChat was busy, silent or out of reach. */
  leave(outcome: 'went_well' | 'slow_down' | 'neither'): void
  /** From now on nothing waits for the rate: what is left is not sent. */
  stop(): void
}

/**
 * Additive increase, multiplicative decrease: a busy WeChat halves the number of requests allowed under way, at most
 * once a second. Each one that goes well gives back a fraction of one, so that about as many as are under way add
 * one.
 * An admitted request then waits for a place among those that other deliveries of the account have under way, and for
 * its turn at the rate, which they share.
 */
export function createPace(concurrency: number, rate: Rate, share: Share): Pace {
  const waiting: (() => void)[] = []
  let allowed = concurrency
  let underWay = 0
  let halvedAt = Number.NEGATIVE_INFINITY
  const stopped = new AbortController()
  // Each waiting request adds a listener, and Node warns of a leak at eleven.
  setMaxListeners(concurrency, stopped.signal)

  function admit(): void {
    while (waiting.length > 0 && underWay < Math.floor(allowed)) {
      underWay++
      waiting.shift()?.()
    }
  }

  function takeTurn(): Promise<void> {
    const entered = share.enter(stopped.signal)
    // Without a rate there is nothing more to wait for, and each message of a run comes by here.
    return rate.perSecond === undefined ? entered : entered.then(() => rate.turn(stopped.signal))
  }

  return {
    enter() {
      if (underWay >= Math.floor(allowed))
        return new Promise<void>((resolve) => waiting.push(resolve)).then(takeTurn)
      underWay++
      return takeTurn()
    },
    leave(outcome) {
      underWay--
      share.leave()
      if (outcome === 'went_well') allowed = Math.min(concurrency, allowed + 1 / allowed)
      if (outcome === 'slow_down' && performance.now() - halvedAt > SECOND_MS) {
        allowed = Math.max(1, allowed / 2)
        halvedAt = performance.now()
      }
      admit()
    },
    stop: () => stopped.abort(),
  }
}
