import { HOUR_MS } from '../lib/durations.js'
import type { EventOutcome, EventRow } from './store.js'

/**
 * The result of applying an event. `wait`: what it is about does not exist yet, and may appear until `until`.
 */
export type Effect =
  | { kind: 'done'; outcome: EventOutcome; messageId?: number; traceId?: string }
  | { kind: 'wait'; outcome: 'no_user' | 'unknown_message'; until: number }

export function done(outcome: EventOutcome): Effect {
  return { kind: 'done', outcome }
}

const PAUSE_MIN_MS = 2_000
const PAUSE_MAX_MS = 6 * HOUR_MS

/**
 * When a waiting event is looked at again: it waits as long again as it has waited already, within limits.
 */
export function nextAttempt(event: Pick<EventRow, 'received_at'>, now: number): number {
  return now + Math.min(Math.max(now - event.received_at, PAUSE_MIN_MS), PAUSE_MAX_MS)
}

/** The fields that events.ts has kept from an event that moves the books. */
export function payloadOf(event: Pick<EventRow, 'payload'>): Partial<Record<string, string>> {
  return JSON.parse(event.payload) as Partial<Record<string, string>>
}
