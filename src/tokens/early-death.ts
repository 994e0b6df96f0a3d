import { marginOf, type TokenTiming } from './timing.js'
import type { StoredToken } from './token-store.js'

/** Tokens that WeChat refused well before their time although no process of ours had replaced them. */
export interface EarlyDeaths {
  count: number
  /** When the first one was seen, by `now`; undefined: none so far. */
  firstAt: number | undefined
}

/** For the log: the only sign of a second refresher that is visible from here. */
export const EARLY_DEATH_HINT =
  'WeChat refused a token before its time was up. Another program seems to fetch tokens for this account: give it the stable token, or set WX_TOKEN_MODE=stable here; nobody should use force_refresh.'

/**
 * Whether `failing` was still the stored token, so that none of our processes had replaced it, and was not
 * near its end. Only the process that fetches the next token sees this, so each death is counted once.
 */
export function diedEarly(
  replaced: StoredToken | undefined,
  failing: string | undefined,
  timing: TokenTiming,
): boolean {
  if (replaced === undefined || failing === undefined || replaced.token !== failing) return false
  return replaced.remainingMs > marginOf(replaced.lifetimeMs, timing)
}
