import type { Logger } from '../lib/logger.js'
import type { AccessTokens } from '../wechat/client.js'
import { TokenError } from '../wechat/token-error.js'
import { diedEarly, EARLY_DEATH_HINT, type EarlyDeaths } from './early-death.js'
import type { FetchToken } from './fetch-with-retry.js'
import { type CurrentToken, currentToken, type RefreshDeps, UnchangedTokenError } from './refresh.js'
import { TOKEN_TIMING, type TokenTiming } from './timing.js'
import type { StoredToken, TokenStore } from './token-store.js'

export interface SharedTokenOptions {
  store: TokenStore
  appId: string
  fetchToken: FetchToken
  /** Random id of this process, at most 64 characters. */
  owner: string
  /** In ms. It measures how long a token has been in memory, so a monotonic clock works too. */
  now: () => number
  logger: Pick<Logger, 'info' | 'warn' | 'error'>
  timing?: Partial<TokenTiming>
}

export interface TokenCounters {
  /** Tokens that this process fetched, and refreshes that brought none. */
  refreshed: number
  failed: number
  earlyDeaths: EarlyDeaths
}

/**
 * Both calls throw nothing but TokenError. Do not call them inside a transaction: SQLite has one connection.
 */
export interface SharedToken extends AccessTokens {
  counters(): TokenCounters
  /** Waits for a refresh that is under way. */
  close(): Promise<void>
}

interface Held {
  token: string
  /** The same as a promise, one for all who ask. */
  known: Promise<string>
  expiresAt: number
  refreshAt: number
}

interface Failed {
  error: TokenError
  until: number
  failing: string | undefined
}

/**
 * The access token of one account, shared by all processes through its store and kept in memory between
 * refreshes. At most one refresh is under way in a process, and one among all processes. While the old token
 * still works, a refresh runs in the background of the calls that use it.
 */
export function createSharedToken(options: SharedTokenOptions): SharedToken {
  const { appId, now, logger } = options
  const deps: RefreshDeps = { ...options, timing: { ...TOKEN_TIMING, ...options.timing } }
  const counters: TokenCounters = { refreshed: 0, failed: 0, earlyDeaths: { count: 0, firstAt: undefined } }
  let held: Held | undefined
  let underWay: { failing: string | undefined; promise: Promise<string> } | undefined
  let failed: Failed | undefined

  const refresh = (failing: string | undefined): Promise<string> => {
    if (underWay !== undefined) {
      if (failing === undefined || underWay.failing === failing) return underWay.promise
      // It was not begun to replace this token, but it may well bring another.
      return underWay.promise.catch(() => {}).then(() => replace(failing))
    }
    if (failed !== undefined && now() < failed.until && concerns(failed, failing))
      return Promise.reject(failed.error)
    const promise = currentToken(deps, failing)
      .then(
        (current) => hold(current, failing),
        (error) => giveUp(error, failing),
      )
      .finally(() => {
        underWay = undefined
      })
    underWay = { failing, promise }
    return promise
  }

  const hold = (current: CurrentToken, failing: string | undefined): string => {
    const { token, expiresInMs, refreshInMs, fetched, failure } = current
    held = {
      token,
      known: Promise.resolve(token),
      expiresAt: now() + expiresInMs,
      refreshAt: now() + refreshInMs,
    }
    failed = undefined
    if (failure !== undefined) reportFailure(failure)
    if (fetched !== undefined) {
      counters.refreshed++
      logger.info({ event: 'token.refreshed', app_id: appId, expires_in_ms: expiresInMs })
      if (diedEarly(fetched.replaced, failing, deps.timing)) reportEarlyDeath(fetched.replaced)
    }
    return token
  }

  const giveUp = (cause: unknown, failing: string | undefined): never => {
    const error = cause instanceof TokenError ? cause : unusableTable(cause)
    failed = { error, failing, until: now() + deps.timing.failurePauseMs }
    // WeChat may have erred about a token that it gives again; any other token that it refused is of no use.
    if (held?.token === failing && !(error instanceof UnchangedTokenError)) held = undefined
    reportFailure(error)
    throw error
  }

  const reportFailure = ({ class: errorClass, errcode, message, remedy }: TokenError): void => {
    counters.failed++
    logger.error(
      { event: 'token.refresh_failed', app_id: appId, class: errorClass, errcode, remedy },
      message,
    )
  }

  const reportEarlyDeath = (replaced: StoredToken | undefined): void => {
    const { earlyDeaths } = counters
    earlyDeaths.count++
    earlyDeaths.firstAt ??= now()
    logger.warn(
      {
        event: 'token.died_early',
        app_id: appId,
        remaining_ms: replaced?.remainingMs,
        count: earlyDeaths.count,
        first_at: earlyDeaths.firstAt,
      },
      EARLY_DEATH_HINT,
    )
  }

  const get = (): Promise<string> => {
    if (held === undefined || now() >= held.expiresAt) return refresh(undefined)
    // The failure is on record, and the next call after the pause tries again.
    if (now() >= held.refreshAt) refresh(undefined).catch(() => {})
    return held.known
  }

  const replace = async (failing: string): Promise<string> => {
    if (held !== undefined && held.token !== failing && now() < held.expiresAt) return held.token
    return refresh(failing)
  }

  return {
    get,
    replace,
    counters: () => structuredClone(counters),
    close: async () => {
      await underWay?.promise.catch(() => {})
    },
  }
}

/**
 * Getting the same token again says nothing about other tokens; any other failure would meet every caller.
 */
function concerns({ error, failing }: Failed, wanted: string | undefined): boolean {
  return !(error instanceof UnchangedTokenError) || failing === wanted
}

/**
 * Without the database's own text: mysql2 writes the whole statement, and with it a token, into its errors.
 */
function unusableTable(cause: unknown): TokenError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const name = cause instanceof Error ? cause.name : typeof cause
  return new TokenError(`The table wx_access_token cannot be used: ${code || name}`)
}
