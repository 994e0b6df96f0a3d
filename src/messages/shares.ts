import type { MessageKind } from './message.js'

/** The place of one kind of messages among the requests that an account may have under way in this process. */
export interface Share {
  /**
   * Resolves when one more request may be under way. On the signal it resolves at once: nothing is sent any more, so
   * such a place is one too many only until it is left.
   */
  enter(signal: AbortSignal): Promise<void>
  leave(): void
}

export type Shares = Record<MessageKind, Share>

/**
 * Divides the requests under way of one account between reminders and submitted messages. Whoever is alone has all
 * places. While both have requests waiting, a place that comes free goes to the kind that has fewer under way, and in
 * turn where they have the same, so each gets half: of the places, and so of the rate, whose turns are given in the
 * order in which places were. Neither waits longer than for the requests that are under way, however many the other has
 * in hand.
 */
export function createShares(concurrency: number): Shares {
  const lanes = { reminder: createLane(), api: createLane() }
  let last: MessageKind = 'api'

  const hasRoom = (): boolean => lanes.reminder.underWay + lanes.api.underWay < concurrency

  function nextKind(): MessageKind | undefined {
    const { reminder, api } = lanes
    if (reminder.waiting.size === 0) return api.waiting.size === 0 ? undefined : 'api'
    if (api.waiting.size === 0) return 'reminder'
    if (reminder.underWay !== api.underWay) return reminder.underWay < api.underWay ? 'reminder' : 'api'
    return last === 'api' ? 'reminder' : 'api'
  }

  function admit(): void {
    for (let kind = nextKind(); kind && hasRoom(); kind = nextKind()) {
      const [first] = lanes[kind].waiting
      last = kind
      first?.()
    }
  }

  const shareOf = (kind: MessageKind): Share => {
    const lane = lanes[kind]
    return {
      enter(signal) {
        // Nobody waits: each message of a run comes by here, and most find a place free.
        const isFree = nextKind() === undefined && hasRoom()
        if (isFree || signal.aborted) {
          if (isFree) last = kind
          lane.underWay++
          return AT_ONCE
        }
        return new Promise<void>((resolve) => {
          const go = (): void => {
            signal.removeEventListener('abort', go)
            lane.waiting.delete(go)
            lane.underWay++
            resolve()
          }
          signal.addEventListener('abort', go)
          lane.waiting.add(go)
          admit()
        })
      },
      leave() {
        lane.underWay--
        admit()
      },
    }
  }
  return { reminder: shareOf('reminder'), api: shareOf('api') }
}

/** One promise for all that need not wait. */
const AT_ONCE = Promise.resolve()

function createLane(): { underWay: number; waiting: Set<() => void> } {
  return { underWay: 0, waiting: new Set() }
}
