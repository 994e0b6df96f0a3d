import { setTimeout as sleep } from 'node:timers/promises'
import { redact } from '../lib/redact.js'
import type { FetchedToken, FetchTokenResult } from '../wechat/access-token.js'
import { TokenError } from '../wechat/token-error.js'
import type { TokenTiming } from './timing.js'

export type FetchToken = (signal: AbortSignal) => Promise<FetchTokenResult>

/**
 * Asks for a token a bounded number of times. An unclear answer is retried like a clear refusal: asking twice
 * does no harm in stable mode, and in classic mode both tokens work for five minutes. `mayContinue` is asked
 * before each attempt after the first; if it says no, the answer is undefined.
 */
export async function fetchWithRetry(
  fetchToken: FetchToken,
  timing: TokenTiming,
  mayContinue: () => Promise<boolean>,
): Promise<FetchedToken | undefined> {
  for (let attempt = 1; ; attempt++) {
    const result = await fetchOnce(fetchToken, timing.attemptTimeoutMs)
    if (result.kind === 'fetched') return result
    const error = tokenError(result)
    // A limit per minute or hour outlasts every pause here.
    const isPointless = !error.retryable || error.entry?.retryAfterMs !== undefined
    if (isPointless || attempt >= timing.attempts) throw error
    // Half of the pause is random, so that processes that failed together do not come back together.
    await sleep(timing.attemptPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2))
    if (!(await mayContinue())) return undefined
  }
}

async function fetchOnce(fetchToken: FetchToken, timeoutMs: number): Promise<FetchTokenResult> {
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(), timeoutMs)
  try {
    return await fetchToken(timeout.signal)
  } finally {
    clearTimeout(timer)
  }
}

function tokenError(result: Exclude<FetchTokenResult, FetchedToken>): TokenError {
  if (result.kind === 'refused')
    return new TokenError(
      `WeChat did not give an access token: ${result.errcode} ${redact(result.errmsg)}`.trimEnd(),
      result.entry,
    )
  const detail = result.detail === undefined ? '' : ` (${result.detail})`
  return new TokenError(`Could not ask WeChat for an access token: ${result.reason}${detail}`)
}
