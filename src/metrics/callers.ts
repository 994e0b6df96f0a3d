import type { EventOutcome } from '../callbacks/store.js'
import type { Instruments } from './instruments.js'

/** Who was refused. */
export interface CallerMetrics {
  /** Returns what is called with the reason of each failure in this area. */
  failuresOf(area: 'api' | 'callback' | 'metrics'): (reason: string) => void
}

/** What WeChat told an account. */
export interface EventMetrics {
  onStored(events: number): void
  onWorked(event: string, outcome: EventOutcome): void
}

/** WeChat's events that the service acts on. Others are stored and ignored, under whatever name they have. */
const EVENTS = new Set([
  'subscribe_msg_popup_event',
  'subscribe_msg_change_event',
  'subscribe_msg_sent_event',
  'TEMPLATESENDJOBFINISH',
  'subscribe',
  'unsubscribe',
])

export function createCallerMetrics(instruments: Instruments): CallerMetrics {
  const failures = instruments.counter(
    'auth_failures_total',
    'Requests refused for a wrong or missing key, session, token or signature, by area (api, callback, metrics) and reason.',
    ['area', 'reason'],
  )
  for (const reason of ['key', 'expired_key', 'session']) failures.inc({ area: 'api', reason }, 0)
  failures.inc({ area: 'callback', reason: 'signature' }, 0)
  return { failuresOf: (area) => (reason) => failures.inc({ area, reason }) }
}

export function createEventMetrics(instruments: Instruments): (appId: string) => EventMetrics {
  const received = instruments.counter(
    'callback_events_received_total',
    'Events of WeChat that were stored, each once however often it is sent.',
    ['app_id'],
  )
  const worked = instruments.counter(
    'callback_events_worked_total',
    'Looks at a stored event, by its name and by what came of it or what it waits for; other: an event that is not acted on, or one that could not be read.',
    ['app_id', 'event', 'outcome'],
  )
  return (app_id) => {
    received.inc({ app_id }, 0)
    return {
      onStored: (events) => received.inc({ app_id }, events),
      onWorked: (event, outcome) =>
        worked.inc({ app_id, event: EVENTS.has(event) ? event : 'other', outcome }),
    }
  }
}
