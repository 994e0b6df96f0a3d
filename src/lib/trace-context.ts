import { randomUUID } from 'node:crypto'

/** Trace ids as W3C Trace Context writes them: 32 lower-case hex digits, not all of them 0. */

/** version, trace id, span id of the caller, flags; a later version may have more behind them. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/
const ZEROS = /^0+$/

/** The trace that a caller's `traceparent` header names; undefined if there is none, or none that is valid. */
export function traceIdIn(traceparent: unknown): string | undefined {
  if (typeof traceparent !== 'string') return undefined
  const [, version, traceId = '', spanId = '', more] = TRACEPARENT.exec(traceparent) ?? []
  if (version === undefined || version === 'ff') return undefined
  if (version === '00' && more !== undefined) return undefined
  return ZEROS.test(traceId) || ZEROS.test(spanId) ? undefined : traceId
}

/** A new one. The digits that a UUID fixes are among the first half; samplers look at the last 14. */
export function newTraceId(): string {
  return randomUUID().replaceAll('-', '')
}
