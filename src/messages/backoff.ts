const BASE_MS = 1_000
/** Of a reminder: its window closes tonight. */
const CAP_MS = 60_000

/**
 * The pause before the next attempt, in ms: exponential with full jitter, i.e. anywhere between 0 and the attempt's
 * cap, so that messages refused together do not all come back together. `random` is in [0, 1).
 */
export function backoff(attempt: number, random: number, capMs = CAP_MS): number {
  return Math.round(random * longest(attempt, capMs))
}

/** The same, but never less than half of the attempt's cap: where attempts have no limit, it bounds how many are made. */
export function patientBackoff(attempt: number, random: number, capMs: number): number {
  return Math.round(((1 + random) / 2) * longest(attempt, capMs))
}

const longest = (attempt: number, capMs: number): number => Math.min(capMs, BASE_MS * 2 ** (attempt - 1))
