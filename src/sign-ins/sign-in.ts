import type { Knex } from 'knex'
import { inRequest } from '../db/transaction.js'
import { addDays, type BusinessDate } from '../lib/business-date.js'
import * as store from './store.js'

/**
 * Records that a user signed in on a day and answers the streak: consecutive days up to that one. Recording it again
 * changes nothing. A day that is recorded late joins the days around it.
 *
 * Two neighbouring days recorded at once each wait for the other's new row (a locking read sees rows that are not yet
 * committed), so one of the two meets a deadlock, is tried again, and then counts right.
 */
export function recordSignIn(
  db: Knex,
  signIn: { appId: string; userId: number; day: BusinessDate },
  now: number,
): Promise<number> {
  const { appId, userId, day } = signIn
  return inRequest(db, async (trx) => {
    const added = await store.insertDay(trx, appId, userId, day, now)
    const days = await store.lockDaysFrom(trx, appId, userId, addDays(day, -1))
    if (added) {
      for (const changed of recount(days)) await store.setStreak(trx, appId, userId, changed)
    }
    return days.find((row) => row.day === day)?.streak ?? 1
  })
}

/** Sets the streak of every day that follows its neighbour; the first of `days` is right already. Answers what changed. */
function recount(days: store.SignInRow[]): store.SignInRow[] {
  const changed: store.SignInRow[] = []
  for (const [i, row] of days.entries()) {
    const before = days[i - 1]
    if (!before) continue
    const streak = addDays(before.day, 1) === row.day ? before.streak + 1 : 1
    if (streak === row.streak) continue
    row.streak = streak
    changed.push(row)
  }
  return changed
}
