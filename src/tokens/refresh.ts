import { setTimeout as sleep } from 'node:timers/promises'
import { failpoint } from '../lib/failpoint.js'
import { CODE } from '../wechat/codes.js'
import { tokenStaysRefused } from '../wechat/errcodes.js'
import { TokenError } from '../wechat/token-error.js'
import { type FetchToken, fetchWithRetry } from './fetch-with-retry.js'
import { marginOf, type TokenTiming } from './timing.js'
import type { StoredToken, TokenStore } from './token-store.js'

export interface RefreshDeps {
  store: TokenStore
  /** Random id of this process, the holder of its leases. */
  owner: string
  fetchToken: FetchToken
  timing: TokenTiming
}

export interface CurrentToken {
  token: string
  expiresInMs: number
  /** From then on it should be replaced, though it still works. */
  refreshInMs: number
  /** Set if this process has just fetched it. */
  fetched?: { replaced: StoredToken | undefined }
  /** Set if this token stays in use because no new one was available. */
  failure?: TokenError
}

/** WeChat gave the same token that it refuses. */
export class UnchangedTokenError extends TokenError {
  constructor() {
    super('WeChat keeps giving the access token that it refuses', tokenStaysRefused(CODE.invalidCredential))
    this.name = 'UnchangedTokenError'
  }
}

/**
 * The account's token, never `failing`: the stored one if it will do, otherwise a new one. The process that
 * gets the lease fetches it, while the others look at the row until it changes. If the holder dies, its lease
 * lapses and is taken over. No connection is held while WeChat is asked.
 */
export async function currentToken(deps: RefreshDeps, failing?: string): Promise<CurrentToken> {
  const { store, timing } = deps
  let pauseMs = timing.pollFirstMs
  for (let waitedMs = 0; ; waitedMs += pauseMs, pauseMs = Math.min(pauseMs * 1.5, timing.pollLastMs)) {
    const stored = await store.read()
    const works = workingToken(stored, failing, timing)
    if (works !== undefined && works.refreshInMs > 0) return works
    if (await takeLease(deps, stored)) {
      const fresh = await refreshUnderLease(deps, stored, failing).catch((error) => {
        if (works === undefined || !(error instanceof TokenError)) throw error
        return { ...works, refreshInMs: timing.failurePauseMs, failure: error }
      })
      if (fresh !== undefined) return fresh
    } else if (works !== undefined) {
      // Another process is replacing it, and it works until then.
      return { ...works, refreshInMs: timing.failurePauseMs }
    }
    if (waitedMs >= timing.waitLimitMs)
      throw new TokenError('No access token: another process is fetching it and does not finish')
    await sleep(pauseMs)
  }
}

function workingToken(
  stored: StoredToken | undefined,
  failing: string | undefined,
  timing: TokenTiming,
): CurrentToken | undefined {
  // Empty: a DBA wanted the next one to be fetched. WeChat would take it for a fault of ours (41001).
  if (stored === undefined || stored.token === null || stored.token === '') return undefined
  if (stored.token === failing || stored.remainingMs <= 0) return undefined
  return {
    token: stored.token,
    expiresInMs: stored.remainingMs,
    refreshInMs: stored.remainingMs - marginOf(stored.lifetimeMs, timing),
  }
}

async function takeLease(deps: RefreshDeps, stored: StoredToken | undefined): Promise<boolean> {
  const { store, owner, timing } = deps
  if (stored === undefined) return store.insertLeased(owner, timing.leaseMs)
  return stored.leaseLeftMs <= 0 && store.takeLease(owner, stored.version, timing.leaseMs)
}

/** Undefined: the lease lapsed on the way and another process went ahead, so its token is the one to use. */
async function refreshUnderLease(
  deps: RefreshDeps,
  replaced: StoredToken | undefined,
  failing: string | undefined,
): Promise<CurrentToken | undefined> {
  const { store, owner, fetchToken, timing } = deps
  let isStored = false
  try {
    const fetched = await fetchWithRetry(fetchToken, timing, () => store.extendLease(owner, timing.leaseMs))
    if (fetched === undefined) return undefined
    failpoint('token.fetched')
    const { token, expiresInMs } = fetched
    if (token === failing) throw new UnchangedTokenError()
    isStored = await store.storeToken(owner, {
      version: replaced?.version ?? 0,
      token,
      expiresInMs,
    })
    if (!isStored) return undefined
    return {
      token,
      expiresInMs,
      refreshInMs: expiresInMs - marginOf(expiresInMs, timing),
      fetched: { replaced },
    }
  } finally {
    // If this fails, the lease lapses by itself.
    if (!isStored) await store.releaseLease(owner).catch(() => {})
  }
}
