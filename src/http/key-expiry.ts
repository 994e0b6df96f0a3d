import { DAY_MS } from '../lib/durations.js'
import { isoTime } from '../lib/iso-time.js'
import type { Logger } from '../lib/logger.js'
import type { ApiKey } from './api-keys.js'

/** Long enough to give a backend another key without haste. */
export const EXPIRES_SOON_MS = 14 * DAY_MS

export function isExpired({ expiresAt }: ApiKey, now: number): boolean {
  return expiresAt !== undefined && now >= expiresAt
}

export function expiresSoon({ expiresAt }: ApiKey, now: number): boolean {
  return expiresAt !== undefined && now < expiresAt && expiresAt - now <= EXPIRES_SOON_MS
}

/**
 * Returns what is called with each key that is used: it says in the log that the key expires soon, once a day and
 * process. Of a key that nobody uses any more, nobody needs to hear.
 */
export function createExpiryNotice(log: Logger): (key: ApiKey, now: number) => void {
  const toldAt = new WeakMap<ApiKey, number>()
  return (key, now) => {
    if (!expiresSoon(key, now) || now - (toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < DAY_MS) return
    toldAt.set(key, now)
    log.warn(
      { event: 'key.expires_soon', key: key.name, expires_at: isoTime(key.expiresAt) },
      'give the backend another key before: see "api_keys" of ACCOUNTS_FILE',
    )
  }
}
