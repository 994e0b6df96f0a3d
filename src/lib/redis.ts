import { createRequire } from 'node:module'
import type { Redis, RedisOptions } from 'ioredis'

const require = createRequire(import.meta.url)

/** A client of Redis. Its library is loaded where there is a Redis: it takes every process some 15 MB. */
export function openRedis(url: string, options: RedisOptions): Redis {
  const ioredis: typeof import('ioredis') = require('ioredis')
  return new ioredis.Redis(url, options)
}

/**
 * For work that goes on without Redis: a command is answered within half a second or has failed, and the connection is
 * looked for again and again, shortly after it was lost, so that all processes come back at about the same time.
 */
export const WITHOUT_WAITING: RedisOptions = {
  commandTimeout: 500,
  connectTimeout: 2_000,
  // A peer that hangs does not close its end of the connection either.
  disconnectTimeout: 0,
  retryStrategy: () => 200,
  // A command that cannot be sent now is of no use later: nothing is queued, and nothing is sent twice.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  disableClientInfo: true,
}
