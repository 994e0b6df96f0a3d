import type { RedisCopy } from './redis-copy.js'
import type { StoredToken, TokenStore } from './token-store.js'

/** How long the table is read, once it and Redis were seen to disagree: a refresh by another process ends in it. */
const DOUBT_MS = 15_000

/** Asks Redis, or returns undefined: it is away, or did not answer in time. Never rejects. */
export type AskRedis = <T>(question: (copy: RedisCopy) => Promise<T>) => Promise<T | undefined>

/**
 * The token in Redis, over the table. Processes read it in Redis, and one of those that want to fetch the next one gets
 * the lease there; but it fetches only with the table's lease too, and writes the table first. So there is one refresher
 * even where some processes reach Redis and others do not, and while Redis is away the table is all there is.
 */
export function createRedisStore(
  table: TokenStore,
  ask: AskRedis,
  now: () => number = () => performance.now(),
): TokenStore {
  let doubtUntil = Number.NEGATIVE_INFINITY
  let doubted: number | undefined

  /** Redis has another version than the table, or none of its leases: the table is right. */
  function doubt(version: number): void {
    doubtUntil = now() + DOUBT_MS
    doubted = version
  }

  /** Puts the table's token into Redis, for the others. */
  async function copyUp(stored: StoredToken): Promise<void> {
    const { token } = stored
    if (token !== null && stored.remainingMs > 0)
      await ask((copy) => copy.put({ ...stored, token }, '', doubted))
  }

  async function readTable(): Promise<StoredToken | undefined> {
    const stored = await table.read()
    if (stored) await copyUp(stored)
    return stored
  }

  return {
    ...table,
    async read() {
      const isTrusted = now() >= doubtUntil
      return (isTrusted ? await ask((copy) => copy.read()) : undefined) ?? readTable()
    },
    async takeLease(owner, version, leaseMs) {
      const isOurs = (await ask((copy) => copy.takeLease(owner, version, leaseMs))) ?? true
      if (!isOurs && now() >= doubtUntil) return false
      if (await table.takeLease(owner, version, leaseMs)) return true
      doubt(version)
      if (isOurs) await ask((copy) => copy.releaseLease(owner))
      return false
    },
    async extendLease(owner, leaseMs) {
      if (!(await table.extendLease(owner, leaseMs))) return false
      await ask((copy) => copy.extendLease(owner, leaseMs))
      return true
    },
    async storeToken(owner, fresh) {
      const isStored = await table.storeToken(owner, fresh)
      if (!isStored) {
        doubt(fresh.version)
        return false
      }
      const { token, version, expiresInMs } = fresh
      const stored = { token, version: version + 1, remainingMs: expiresInMs, lifetimeMs: expiresInMs }
      await ask((copy) => copy.put(stored, owner, doubted))
      return true
    },
    async releaseLease(owner) {
      await ask((copy) => copy.releaseLease(owner))
      await table.releaseLease(owner)
    },
    async replaceText(change) {
      await table.replaceText(change)
      doubt(change.version)
      await readTable()
    },
  }
}
