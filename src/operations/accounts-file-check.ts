import type { ApiKey } from '../http/api-keys.js'
import { expiresSoon, isExpired } from '../http/key-expiry.js'
import { isoTime } from '../lib/iso-time.js'
import type { Finding } from './finding.js'

/** What a readable ACCOUNTS_FILE holds, and what of it should not stay so. */
export interface AccountsFileFacts {
  accounts: readonly unknown[]
  keys: readonly ApiKey[]
  warnings: readonly string[]
}

export function examineAccountsFile({ accounts, keys, warnings }: AccountsFileFacts, now: number): Finding[] {
  const counted = `${countOf(accounts.length, 'account')}, ${countOf(keys.length, 'API key')}`
  const [warning] = warnings
  const file: Finding =
    warning === undefined
      ? { name: 'accounts_file', status: 'ok', reason: counted }
      : {
          name: 'accounts_file',
          status: 'warn',
          reason: `${counted}; it holds secrets, and every user of this machine may read it`,
          fix: 'Set its mode to 640, or refer to the secrets by file:.',
        }
  return [file, examineKeys(keys, now)]
}

function examineKeys(keys: readonly ApiKey[], now: number): Finding {
  const name = 'api_keys'
  const expired = keys.filter((key) => isExpired(key, now))
  const soon = keys.filter((key) => expiresSoon(key, now))
  if (expired.length + soon.length === 0) return { name, status: 'ok', reason: 'none expires within 14 days' }
  const reason = [
    ...expired.map((key) => `"${key.name}" expired at ${isoTime(key.expiresAt)}`),
    ...soon.map((key) => `"${key.name}" expires at ${isoTime(key.expiresAt)}`),
  ].join('; ')
  const fix = 'Add another key of that name (hash-key), move the backend over, then take this one out.'
  return { name, status: 'warn', reason, fix }
}

function countOf(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}
