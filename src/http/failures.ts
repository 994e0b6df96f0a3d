import { isIPv6 } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import { MINUTE_MS } from '../lib/durations.js'
import type { Logger } from '../lib/logger.js'

/**
 * Failed attempts by address, in this process: wrong keys, tokens and signatures. Successes are not counted.
 */
export interface Failures {
  /** Throws `too_many_requests` if too many have come from the caller's address in this minute. */
  check(request: FastifyRequest): void
  count(request: FastifyRequest, reason: string): void
}

/**
 * Addresses counted at once, each some 200 bytes. When there are more, those that failed first are dropped.
 */
const MAX_ADDRESSES = 20_000

export function createFailures(options: {
  /** What the log calls them. */
  event: string
  /** Of an account alone, for the log. */
  appId?: string
  perMinute: number
  log: Logger
  now(): number
  /** Called for each, whether it is logged or not. */
  onFailure?(reason: string): void
}): Failures {
  const { event, appId, perMinute, log, now, onFailure = () => {} } = options
  const minutes = new Map<string, { began: number; failures: number }>()
  let unlogged = 0
  let loggedAt = Number.NEGATIVE_INFINITY

  /** undefined once the minute is over, or if the clock was set back. */
  function minuteOf(address: string): { began: number; failures: number } | undefined {
    const minute = minutes.get(address)
    return minute && Math.abs(now() - minute.began) < MINUTE_MS ? minute : undefined
  }

  function begin(address: string): { began: number; failures: number } {
    const minute = { began: now(), failures: 0 }
    minutes.delete(address)
    minutes.set(address, minute)
    const [first] = minutes.keys()
    if (minutes.size > MAX_ADDRESSES && first !== undefined) minutes.delete(first)
    return minute
  }

  return {
    check(request) {
      const minute = minuteOf(addressOf(request))
      if (!minute || minute.failures < perMinute) return
      const seconds = Math.max(1, Math.ceil((minute.began + MINUTE_MS - now()) / 1_000))
      throw new ServiceError(
        'too_many_requests',
        `More than ${perMinute} wrong attempts from this address in a minute; try again in ${seconds} s`,
        undefined,
        seconds,
      )
    },
    count(request, reason) {
      const address = addressOf(request)
      const minute = minuteOf(address) ?? begin(address)
      minute.failures++
      onFailure(reason)
      unlogged++
      // One line a minute, however many fail: strangers who can fill a log can fill the disk.
      if (Math.abs(now() - loggedAt) < MINUTE_MS) return
      log.warn(
        {
          event,
          ...(appId === undefined ? {} : { app_id: appId }),
          trace_id: request.id,
          reason,
          address,
          failures: unlogged,
        },
        'failures since the last such line',
      )
      unlogged = 0
      loggedAt = now()
    },
  }
}

/** The address that a request is counted under: one phone has a whole /64 of IPv6. */
export function addressOf({ ip }: FastifyRequest): string {
  if (!ip.includes(':')) return ip
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip) ?? []
  if (mapped !== undefined) return mapped
  if (!isIPv6(ip)) return ip
  const [left = [], right = []] = ip.split('::').map((half) => half.split(':').filter(Boolean))
  const zeros = Array<string>(8).fill('0')
  const groups = ip.includes('::') ? [...left, ...zeros.slice(left.length + right.length), ...right] : left
  return `${groups.slice(0, 4).join(':')}::/64`.toLowerCase()
}
