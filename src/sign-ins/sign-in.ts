import type { Knex } from 'knex'
import { inRequest } from '../db/transaction.js'
import { addDays, type BusinessDate, businessDate, daysBetween } from '../lib/business-date.js'
import { DAY_MS } from '../lib/durations.js'
import type { UserId } from '../lib/user-id.js'
import * as store from './store.js'

/**
 * Records that a user signed in on a day and returns the streak: consecutive days up to that one. Recording
 * it again changes nothing. A day that is recorded late joins the days around it. Old rows are deleted: if a
 * later streak includes a day without a row, the day still counts as known, and the streak stays as it is.
 *
 * When two neighbouring days are recorded at once, each waits for the other's new row (a locking read sees
 * rows that are not yet committed). One of the two then meets a deadlock, is retried, and counts right.
 */
export function recordSignIn(
  db: Knex,
  signIn: { appId: string; userId: UserId; day: BusinessDate },
  now: number,
): Promise<number> {
  const { appId, userId, day } = signIn
  return inRequest(db, async (trx) => {
    const added = await store.insertDay(trx, appId, userId, day, now)
    const days = await store.lockDaysFrom(trx, appId, userId, addDays(day, -1))
    if (added) {
      for (const changed of recount(days, day)) await store.setStreak(trx, appId, userId, changed)
    }
    return days.find((row) => row.day === day)?.streak ?? 1
  })
}

/** The oldest day whose sign-ins are kept. */
export function oldestKept(now: number, retentionDays: number, timezone: string): BusinessDate {
  return businessDate(now - retentionDays * DAY_MS, timezone)
}

/**
 * The streak up to a day, as far as it is known: from its own row, or from a later streak that includes the
 * day. 0 if the user did not sign in on it.
 */
export async function findStreakUpTo(
  db: Knex,
  { appId, userId, day }: { appId: string; userId: UserId; day: BusinessDate },
): Promise<number> {
  const next = await store.findFirstFrom(db, appId, userId, day)
  return (next && impliedStreak(day, next)) ?? 0
}

/** Whether a user signed in on a day, and the streaks up to that day and up to the day before. */
export interface DayOfUser {
  signed_in: boolean
  /** 0 if not signed in. */
  streak: number
  streak_before: number
}

/** Reads at most two rows, by the primary key. */
export async function findDayOfUser(
  db: Knex,
  { appId, userId, day }: { appId: string; userId: UserId; day: BusinessDate },
): Promise<DayOfUser> {
  const streak = await findStreakUpTo(db, { appId, userId, day })
  const streak_before =
    streak > 0 ? streak - 1 : await findStreakUpTo(db, { appId, userId, day: addDays(day, -1) })
  return { signed_in: streak > 0, streak, streak_before }
}

/** What the row of a later day says about an earlier one; undefined if its streak began after that. */
function impliedStreak(day: BusinessDate, later: store.SignInRow): number | undefined {
  const streak = later.streak - daysBetween(day, later.day)
  return streak > 0 ? streak : undefined
}

/**
 * Sets the streaks of the added day and of the days that follow it without a gap. A streak only grows: it may
 * include days whose rows are gone. Returns the changed days.
 */
function recount(days: store.SignInRow[], addedDay: BusinessDate): store.SignInRow[] {
  const added = days.findIndex((row) => row.day === addedDay)
  const [own, next] = [days[added], days[added + 1]]
  if (own && next) own.streak = impliedStreak(addedDay, next) ?? own.streak
  const changed = own && own.streak > 1 ? [own] : []
  let before = days[added - 1]
  for (const row of days.slice(added)) {
    if (before && addDays(before.day, 1) !== row.day) break
    const streak = (before?.streak ?? 0) + 1
    before = row
    if (streak <= row.streak) continue
    row.streak = streak
    if (row !== own || changed.length === 0) changed.push(row)
  }
  return changed
}
