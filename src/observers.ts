import type { Sending } from './deps.js'
import type { AccountMetrics } from './metrics/metrics.js'
import type { Tracing } from './tracing/tracing.js'

/** Tells metrics, and traces where there is a collector, what the parts of an account do. */
export interface AccountObservers {
  /** The same, observed. */
  ofSending(sending: Sending): Sending
  onUploads: AccountMetrics['uploads']['onCommit']
  onEventWorked: AccountMetrics['events']['onWorked']
  /** How many messages were given back so far. */
  givenBack(): number
}

export function createObservers(metrics: AccountMetrics, tracing: Tracing | undefined): AccountObservers {
  let givenBack = 0
  return {
    ofSending(sending) {
      const { observe, send } = sending
      return {
        ...sending,
        send: tracing?.traceSend(send) ?? send,
        observe: {
          ...observe,
          claimed(users, seconds) {
            observe.claimed(users, seconds)
            tracing?.claimed(users, seconds)
          },
          settled(tally) {
            givenBack += tally.cancelled
            observe.settled(tally)
          },
        },
      }
    },
    onUploads(group) {
      metrics.uploads.onCommit(group)
      tracing?.committed(group)
    },
    onEventWorked(event, outcome) {
      metrics.events.onWorked(event, outcome)
      tracing?.applied(event, outcome)
    },
    givenBack: () => givenBack,
  }
}
