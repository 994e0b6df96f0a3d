import type { Logger } from '../lib/logger.js'
import type { Seal } from './seal.js'
import type { StoredToken, TokenStore } from './token-store.js'

/**
 * A store that holds tokens sealed. A token that cannot be opened counts as none, so the next one is fetched; one that
 * was stored before there was a key, or with an older one, is sealed anew as soon as it is read.
 */
export function createSealedStore(
  store: TokenStore,
  seal: Seal,
  { appId, log }: { appId: string; log: Pick<Logger, 'warn'> },
): TokenStore {
  let unopened: number | undefined

  function opened(stored: StoredToken): StoredToken {
    if (stored.token === null) return stored
    const token = seal.open(stored.token)
    if (token === undefined && unopened !== stored.version) {
      unopened = stored.version
      log.warn(
        { event: 'token.cannot_be_opened', app_id: appId },
        'The stored access token is sealed with a key that TOKEN_KEY does not have: another one is fetched',
      )
    }
    return { ...stored, token: token ?? null }
  }

  return {
    ...store,
    async read() {
      const stored = await store.read()
      if (!stored) return undefined
      const result = opened(stored)
      if (stored.token !== null && result.token !== null && !seal.isCurrent(stored.token)) {
        const { version, token: from } = stored
        await store.replaceText({ version, from, to: seal.seal(result.token) })
      }
      return result
    },
    storeToken: (owner, fresh) => store.storeToken(owner, { ...fresh, token: seal.seal(fresh.token) }),
  }
}
