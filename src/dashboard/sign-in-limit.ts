import type { FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import { addressOf, createFailures } from '../http/failures.js'
import { MINUTE_MS } from '../lib/durations.js'
import type { Logger } from '../lib/logger.js'

/** Wrong passwords a minute from one address. */
export const PER_ADDRESS = 10
/** The same from all addresses that have never signed in: guessers may have thousands of addresses. */
const OVERALL = 60
const MAX_KNOWN = 1_000

/** Slows down whoever guesses the password, in this process. */
export interface SignInLimit {
  /** Throws `too_many_requests`. */
  check(request: FastifyRequest): void
  failed(request: FastifyRequest): void
  /** From now on, failures elsewhere do not keep this address out. */
  succeeded(request: FastifyRequest): void
}

export function createSignInLimit({ log, now }: { log: Logger; now(): number }): SignInLimit {
  const failures = createFailures({ event: 'dashboard.refused', perMinute: PER_ADDRESS, log, now })
  const known = new Set<string>()
  let minute = { began: 0, failures: 0 }

  return {
    check(request) {
      failures.check(request)
      const isOver = Math.abs(now() - minute.began) >= MINUTE_MS
      if (isOver || minute.failures < OVERALL || known.has(addressOf(request))) return
      const seconds = Math.max(1, Math.ceil((minute.began + MINUTE_MS - now()) / 1_000))
      throw new ServiceError(
        'too_many_requests',
        `Too many wrong passwords from everywhere; try again in ${seconds} s`,
        undefined,
        seconds,
      )
    },
    failed(request) {
      failures.count(request, 'password')
      if (Math.abs(now() - minute.began) >= MINUTE_MS) minute = { began: now(), failures: 0 }
      minute.failures++
    },
    succeeded(request) {
      known.add(addressOf(request))
      const [first] = known
      if (known.size > MAX_KNOWN && first !== undefined) known.delete(first)
    },
  }
}
