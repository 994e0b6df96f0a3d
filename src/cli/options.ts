import { InvalidArgumentError } from 'commander'
import { DateTime } from 'luxon'
import { ServiceError } from '../errors.js'
import { parseIsoDate } from '../lib/business-date.js'
import { MAX_USER_ID, toUserId, USER_ID_PATTERN, type UserId } from '../lib/user-id.js'

/** Parsers of option values. */

export function toDate(text: string): number {
  const date = parseIsoDate(text)
  if (date === undefined) throw new InvalidArgumentError('Write the day as YYYY-MM-DD.')
  return date
}

export function toCount(text: string): number {
  // Number() reads an empty string as 0.
  const count = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isInteger(count) || count < 0) throw new InvalidArgumentError('A whole number is needed.')
  return count
}

export function parseUserId(text: string): UserId {
  if (!new RegExp(USER_ID_PATTERN).test(text) || BigInt(text) > MAX_USER_ID)
    throw new InvalidArgumentError(`A user id is a whole number from 0 to ${MAX_USER_ID}.`)
  return toUserId(text)
}

/** A moment in ms: `2026-11-20 09:00` by the account's clock, or ISO 8601 with an offset. */
export function parseMoment(text: string, zone: string): number {
  const moment = DateTime.fromISO(text.trim().replace(' ', 'T'), { zone })
  if (!moment.isValid)
    throw new ServiceError('invalid_request', `"${text}" is not a time: write YYYY-MM-DD HH:MM`)
  return moment.toMillis()
}
