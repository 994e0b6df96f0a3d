const SECOND = 1_000
const MINUTE = 60 * SECOND

/** All waits of the shared token. Tests shorten them. */
export interface TokenTiming {
  /** A token is replaced when less than this, or less than half of its life, remains: see `marginOf`. */
  refreshBeforeMs: number
  /** One call to the token endpoint; it usually takes a tenth of a second. */
  attemptTimeoutMs: number
  /** Calls in one refresh, and the pause before the second, which doubles. */
  attempts: number
  attemptPauseMs: number
  /**
   * Longer than an attempt and the write after it. Other processes wait this long after a refresher has died.
   */
  leaseMs: number
  /** Pauses between looks at a refresh by another process: the first one, growing by half up to the last. */
  pollFirstMs: number
  pollLastMs: number
  /**
   * After waiting this long for others, the caller gets a TokenError. Enough for a lease to lapse and a
   * refresh after it.
   */
  waitLimitMs: number
  /**
   * No new refresh this soon after a failed one: a run of thousands of messages must not ask thousands of
   * times.
   */
  failurePauseMs: number
}

export const TOKEN_TIMING: TokenTiming = {
  refreshBeforeMs: 5 * MINUTE,
  attemptTimeoutMs: 8 * SECOND,
  attempts: 3,
  attemptPauseMs: 300,
  leaseMs: 12 * SECOND,
  pollFirstMs: 20,
  pollLastMs: 250,
  waitLimitMs: 30 * SECOND,
  failurePauseMs: 5 * SECOND,
}

/**
 * How long before its end a token is replaced. Five minutes: WeChat lets the old and the new one work side by
 * side for that long, and in stable mode makes a new one only in a token's last five minutes, giving the same
 * string before that. So an early request may bring the same token with 300 s left; half of that as margin
 * makes the next request come 150 s later instead of at once, for ever.
 */
export function marginOf(lifetimeMs: number, timing: TokenTiming): number {
  return Math.min(timing.refreshBeforeMs, lifetimeMs / 2)
}
