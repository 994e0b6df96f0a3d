import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import { MINUTE_MS } from '../lib/durations.js'

/**
 * Counts a request under the name that `nameOf` gives it. Throws `too_many_requests` with the time to wait.
 */
export type Limit = (request: FastifyRequest) => Promise<void>

/** Names counted at once, each some 200 bytes. When there are more, the least recently seen are dropped. */
const MAX_NAMES = 20_000

export async function registerLimits(app: FastifyInstance): Promise<void> {
  await app.register(rateLimit, { global: false })
}

/**
 * A limit with its own counters, in this process: a caller of several processes gets the limit in each of
 * them. Without nameOf it counts by address, and IPv6 addresses by their /64, because one phone has a whole
 * one.
 */
export function createLimit(
  app: FastifyInstance,
  perMinute: number,
  nameOf?: (request: FastifyRequest) => string,
): Limit {
  if (perMinute === Number.POSITIVE_INFINITY) return async () => {}
  const options = {
    max: perMinute,
    timeWindow: MINUTE_MS,
    cache: MAX_NAMES,
    ...(nameOf ? { keyGenerator: nameOf } : {}),
  }
  const count = app.createRateLimit(options)
  return async (request) => {
    const counted = await count(request)
    if (counted.isAllowed || !counted.isExceeded) return
    throw new ServiceError(
      'too_many_requests',
      `More than ${perMinute} requests in a minute; try again in ${counted.ttlInSeconds} s`,
      undefined,
      counted.ttlInSeconds,
    )
  }
}
