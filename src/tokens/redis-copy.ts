import type { Redis } from 'ioredis'
import type { StoredToken } from './token-store.js'

/**
 * The token of an account in Redis, with the table's rules: versions that are compared and swapped, and a lease, each
 * in one script, on Redis' clock. Every call rejects if Redis does not answer.
 */
export interface RedisCopy {
  read(): Promise<StoredToken | undefined>
  /** Takes the lease if it is free, and no other version than this one is here. */
  takeLease(owner: string, version: number, leaseMs: number): Promise<boolean>
  extendLease(owner: string, leaseMs: number): Promise<void>
  releaseLease(owner: string): Promise<void>
  /**
   * Puts what the table has, and ends the lease of `owner`. What is here already stays if it is newer, unless its
   * version is `doubted`.
   */
  put(token: Copied, owner: string, doubted: number | undefined): Promise<void>
}

export type Copied = Pick<StoredToken, 'version' | 'remainingMs' | 'lifetimeMs'> & { token: string }

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function number(name) return tonumber(redis.call('HGET', KEYS[1], name) or 0) end
`

/** A lease outlives the last token by no more than this, so that nothing stays for ever. */
const KEEP_MS = 60_000

const READ = `${NOW}
local token = redis.call('HGET', KEYS[1], 'token')
if not token then return false end
return { token, number('expires_at') - now, number('lifetime'), number('version'),
  redis.call('HGET', KEYS[1], 'lease_owner') or '', number('lease_until') - now }
`

const TAKE = `${NOW}
local version = redis.call('HGET', KEYS[1], 'version')
if version and tonumber(version) ~= tonumber(ARGV[2]) then return 0 end
if number('lease_until') > now then return 0 end
redis.call('HSET', KEYS[1], 'lease_owner', ARGV[1], 'lease_until', string.format('%.0f', now + ARGV[3]))
local left = redis.call('PTTL', KEYS[1])
if left < ARGV[3] + ${KEEP_MS} then redis.call('PEXPIRE', KEYS[1], ARGV[3] + ${KEEP_MS}) end
return 1
`

const EXTEND = `${NOW}
if redis.call('HGET', KEYS[1], 'lease_owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'lease_until', string.format('%.0f', now + ARGV[2]))
return 1
`

const RELEASE = `
if redis.call('HGET', KEYS[1], 'lease_owner') ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], 'lease_owner', 'lease_until')
`

const PUT = `${NOW}
if redis.call('HGET', KEYS[1], 'lease_owner') == ARGV[5] then
  redis.call('HDEL', KEYS[1], 'lease_owner', 'lease_until')
end
local here = redis.call('HGET', KEYS[1], 'version')
if here and tonumber(here) > tonumber(ARGV[1]) and here ~= ARGV[6] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'token', ARGV[2],
  'expires_at', string.format('%.0f', now + ARGV[3]), 'lifetime', ARGV[4])
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil(ARGV[3])) + ${KEEP_MS})
return 1
`

export function createRedisCopy(redis: Redis, appId: string): RedisCopy {
  const run = (script: string, ...values: (string | number)[]) =>
    redis.eval(script, 1, `reminder:{${appId}}:token`, ...values)
  return {
    async read() {
      const found = (await run(READ)) as [string, number, number, number, string, number] | null
      if (!found) return undefined
      const [token, remainingMs, lifetimeMs, version, owner, leaseLeftMs] = found
      return { token, remainingMs, lifetimeMs, version, leaseOwner: owner || null, leaseLeftMs }
    },
    takeLease: async (owner, version, leaseMs) => (await run(TAKE, owner, version, leaseMs)) === 1,
    async extendLease(owner, leaseMs) {
      await run(EXTEND, owner, leaseMs)
    },
    async releaseLease(owner) {
      await run(RELEASE, owner)
    },
    async put({ version, token, remainingMs, lifetimeMs }, owner, doubted) {
      await run(PUT, version, token, remainingMs, lifetimeMs, owner, doubted ?? '')
    },
  }
}
