import { createRequire } from 'node:module'
import type { Redis, RedisOptions } from 'ioredis'

const require = createRequire(import.meta.url)

/** A client of Redis. Its library is loaded where there is a Redis: it takes every process some 15 MB. */
export function openRedis(url: string, options: RedisOptions): Redis {
  const ioredis: typeof import('ioredis') = require('ioredis')
  return new ioredis.Redis(url, options)
}
