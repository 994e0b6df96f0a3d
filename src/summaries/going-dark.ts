import type { Knex } from 'knex'
import { ServiceError } from '../errors.js'
import { type BusinessDate, toIsoDate } from '../lib/business-date.js'
import { MAX_USER_ID, type UserId, userIdToJson } from '../lib/user-id.js'
import { boundRange } from '../runs/user-pages.js'
import { type ComingDay, comingDays } from './coming-days.js'
import { type ForecastAccount, momentsOf } from './compute.js'
import { MAX_DAYS } from './forecast.js'
import { findProfiles, PAGE } from './profile-store.js'
import { lastReached, reachOf } from './reach.js'

export interface GoingDark {
  date: string
  users: {
    user_id: number | string
    /** Permits of the user that can be spent now or later, as many as reminders are left or more. */
    permits: number
  }[]
  /** Where the list goes on: pass it as `after`. A page may be short, or empty, and go on. */
  next: number | string | null
}

/**
 * The users whose last day with a reminder is `date`, if no permit arrives and nobody signs in, in the order of user
 * ids. Examines a bounded part of the account. Throws `invalid_request` unless the day is one of the coming MAX_DAYS.
 */
export async function findGoingDark(
  db: Knex,
  account: ForecastAccount,
  { date, limit, after }: { date: BusinessDate; limit: number; after?: UserId | undefined },
  now: number,
): Promise<GoingDark> {
  const days = daysUpTo(account, date, now)
  const last = days.findIndex((day) => day.date === date)
  // One page for one answer (some 30 ms), however few of its users are on the list.
  const rest = { range_no: 0, cur: after ?? Number.MIN_SAFE_INTEGER, hi: MAX_USER_ID }
  const page = await boundRange(db, account.appId, rest, PAGE)
  const users: GoingDark['users'] = []
  for (const { userId, profile } of await findProfiles(db, { account, page, days })) {
    if (lastReached(reachOf(profile, days), days) !== last) continue
    const permits = profile.bundles.reduce((sum, bundle) => sum + bundle.permits, 0)
    users.push({ user_id: userIdToJson(userId), permits })
    if (users.length === limit) return { date: toIsoDate(date), users, next: userIdToJson(userId) }
  }
  return { date: toIsoDate(date), users, next: page.hi === MAX_USER_ID ? null : userIdToJson(page.hi) }
}

/** The coming days up to the next one with reminders after that date: more are not needed to tell who goes dark. */
function daysUpTo(account: ForecastAccount, date: BusinessDate, now: number): ComingDay[] {
  const all = momentsOf(comingDays(account, MAX_DAYS, now))
  const [first] = all
  const last = all[MAX_DAYS - 1]
  if (!first || !last || date < first.date || date > last.date) {
    const range = `${toIsoDate(first?.date ?? date)} to ${toIsoDate(last?.date ?? date)}`
    const message = `date: ${toIsoDate(date)} is not within the forecast, ${range}`
    throw new ServiceError('invalid_request', message, { field: 'date' })
  }
  const next = all.findIndex((day) => day.date > date && day.sends)
  return next < 0 ? all : all.slice(0, next + 1)
}
