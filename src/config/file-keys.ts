import { DateTime } from 'luxon'
import { type ApiKey, SCOPES, type Scope } from '../http/api-keys.js'
import { didYouMean } from '../lib/did-you-mean.js'
import { HASH, MOMENT } from './accounts-schema.js'
import type { Faults } from './faults.js'
import { listOf, membersOf } from './members.js'

const NAMES = ['name', 'hash', 'accounts', 'scopes', 'expires_at']
const NEEDED = ['name', 'hash', 'accounts', 'scopes']

/** Reads `api_keys` of the file: only their hashes, which nobody can call with. */
export function readFileKeys(value: unknown, appIds: readonly string[], faults: Faults): ApiKey[] {
  const keys: ApiKey[] = []
  const placeOf = new Map<string, string>()
  for (const [i, entry] of listOf(value, 'api_keys', faults).entries()) {
    const place = `api_keys[${i}]`
    const key = readKey(entry, place, appIds, faults)
    if (!key) continue
    const hash = key.hash.toString('hex')
    const before = placeOf.get(hash)
    if (before !== undefined)
      faults.add(`${place}.hash`, `is the hash of ${before} too: each key stands once`)
    placeOf.set(hash, place)
    keys.push(key)
  }
  return keys
}

function readKey(
  value: unknown,
  place: string,
  appIds: readonly string[],
  faults: Faults,
): ApiKey | undefined {
  const members = membersOf(value, place, NAMES, faults)
  if (!members) return undefined
  for (const name of NEEDED.filter((name) => !(name in members))) faults.add(`${place}.${name}`, 'is not set')
  const read = <T>(name: string, parse: (value: unknown) => T): T | undefined =>
    name in members ? faults.catch(`${place}.${name}`, () => parse(members[name])) : undefined
  const key = {
    name: read('name', parseName),
    hash: read('hash', parseHash),
    appIds: read('accounts', (given) => parseAccounts(given, appIds)),
    scopes: read('scopes', parseScopes),
  }
  const expiresAt = read('expires_at', parseMoment)
  const { name, hash, appIds: bound, scopes } = key
  if (name === undefined || hash === undefined || bound === undefined || scopes === undefined)
    return undefined
  return { name, hash, appIds: bound, scopes, expiresAt }
}

function parseName(value: unknown): string {
  if (typeof value !== 'string' || !/^\S(.{0,62}\S)?$/.test(value))
    throw new Error('must be a text of 1 to 64 characters: who calls with the key')
  return value
}

/** The value stays out of the message: it may be the key itself. */
function parseHash(value: unknown): Buffer {
  if (typeof value !== 'string' || !HASH.test(value))
    throw new Error(
      'must be sha256: and 64 hex digits; make a key and its hash with "npm run -s cli -- hash-key"',
    )
  return Buffer.from(value.slice('sha256:'.length), 'hex')
}

function parseAccounts(value: unknown, appIds: readonly string[]): readonly string[] | 'all' {
  if (value === 'all') return value
  return distinct(value, 'app_ids such as ["wx0123456789abcdef"], or "all"', (item) => {
    if (typeof item === 'string' && appIds.includes(item)) return item
    const hint = typeof item === 'string' ? didYouMean(item, appIds) : ''
    throw new Error(`${JSON.stringify(item)} is no account of this file${hint}`)
  })
}

function parseScopes(value: unknown): Scope[] {
  const all = SCOPES.map((scope) => `"${scope}"`).join(', ')
  return distinct(value, `scopes, of ${all}`, (item) => {
    const scope = SCOPES.find((each) => each === item)
    if (scope === undefined) throw new Error(`${JSON.stringify(item)} is no scope; there are ${all}`)
    return scope
  })
}

function distinct<T>(value: unknown, what: string, parse: (item: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length === 0) throw new Error(`must be a list of ${what}`)
  const items = value.map(parse)
  const twice = items.find((item, i) => items.indexOf(item) !== i)
  if (twice !== undefined) throw new Error(`"${twice}" stands twice`)
  return items
}

function parseMoment(value: unknown): number {
  // JavaScript's own parser makes 3 March of 31 February.
  const ms = typeof value === 'string' && MOMENT.test(value) ? DateTime.fromISO(value).toMillis() : Number.NaN
  if (Number.isNaN(ms)) throw new Error('must be a moment with its offset, such as 2027-01-31T00:00:00Z')
  return ms
}
