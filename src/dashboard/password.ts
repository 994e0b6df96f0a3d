import { ServiceError } from '../errors.js'
import { looksLikeHash, matchesHash, matchesPassword, parsePasswordHash } from '../lib/password-hash.js'

/** Each takes a thread and 32 MB for 80 ms, and everything else shares the four threads. */
const AT_ONCE = 2
/** A second's worth. More attempts than that are no operators. */
const MAX_WAITING = 20

/** Whether a password is the one of ADMIN_PASSWORD. Throws `overloaded` if too many are being checked. */
export type PasswordCheck = (given: string) => Promise<boolean>

export function createPasswordCheck(adminPassword: string): PasswordCheck {
  if (!looksLikeHash(adminPassword)) return async (given) => matchesPassword(given, adminPassword)
  const stored = parsePasswordHash(adminPassword)
  const waiting: (() => void)[] = []
  let underWay = 0

  return async (given) => {
    if (underWay >= AT_ONCE) {
      if (waiting.length >= MAX_WAITING)
        throw new ServiceError('overloaded', 'Too many people are signing in; try again shortly')
      // Whoever ends hands its place over.
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else underWay++
    try {
      return await matchesHash(given, stored)
    } finally {
      const next = waiting.shift()
      if (next) next()
      else underWay--
    }
  }
}
