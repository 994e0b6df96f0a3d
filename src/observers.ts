import type { Sending } from './deps.js'
import type { Metrics } from './metrics/metrics.js'
import type { Tracing } from './tracing/tracing.js'

/** Tells metrics, and traces where there is a collector, what the parts of a service do. */
export interface ServiceObservers {
  /** The same, observed. */
  ofSending(sending: Sending): Sending
  onUploads: Metrics['uploads']['onCommit']
  onEventWorked: Metrics['callers']['onEventWorked']
  /** How many messages were given back so far. */
  givenBack(): number
}

export function createObservers(metrics: Metrics, tracing: Tracing | undefined): ServiceObservers {
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
      metrics.callers.onEventWorked(event, outcome)
      tracing?.applied(event, outcome)
    },
    givenBack: () => givenBack,
  }
}
