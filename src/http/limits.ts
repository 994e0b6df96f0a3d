import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import { MINUTE_MS } from '../lib/durations.js'

/** Counts a request of whoever `nameOf` names it for. Throws `too_many_requests` with the time to wait. */
export type Limit = (request: FastifyRequest) => Promise<void>

/** Names that are counted at once, each some 200 bytes. More push out those that were seen longest ago. */
const MAX_NAMES = 20_000

export async function registerLimits(app: FastifyInstance): Promise<void> {
  await app.register(rateLimit, { global: false })
}

/**
 * A limit with counters of its own, in this process: with several of them, a caller has as many times as much.
 * Without nameOf it counts by address, IPv6 ones by their /64, since one phone has all of that.
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
