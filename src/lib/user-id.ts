/**
 * The owner's number for a user, from 0 to the largest BIGINT. It is a number where JavaScript holds it
 * exactly, and a bigint only beyond 2^53 - 1: each user has one value, so === and the keys of a Map tell
 * users apart, and most ids cost no more than a number.
 */
export type UserId = number | bigint

/** 9223372036854775807: what a signed BIGINT holds. */
export const MAX_USER_ID = 2n ** 63n - 1n

/** Digits without leading zeros: 007 and 7 may be two users in the owner's books. */
export const USER_ID_PATTERN = '^(0|[1-9][0-9]{0,18})$'

export function toUserId(digits: string | bigint): UserId {
  const exact = BigInt(digits)
  const number = Number(exact)
  return Number.isSafeInteger(number) ? number : exact
}

/** A user_id as JSON carries it: the digits in a string where a reader's JSON.parse would round the number. */
export function userIdToJson(userId: UserId): number | string {
  return typeof userId === 'bigint' ? String(userId) : userId
}

/** Rows and reports that contain user ids, as JSON. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) => (typeof field === 'bigint' ? String(field) : field))
}

/** The user id before this one. */
export function userIdBefore(userId: UserId): UserId {
  return typeof userId === 'bigint' ? toUserId(userId - 1n) : userId - 1
}
