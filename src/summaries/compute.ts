import type { Knex } from 'knex'
import type { Channel } from '../channel.js'
import type { BusinessDate } from '../lib/business-date.js'
import type { Range } from '../runs/ranges.js'
import { userPages } from '../runs/user-pages.js'
import { type ComingDays, comingDays, type ReminderTimes } from './coming-days.js'
import { countProfiles, PAGE } from './profile-store.js'
import { createReachSums, type ReachSums } from './reach.js'

/** The settings of an account that decide whom it can remind, and when. */
export interface ForecastAccount extends ReminderTimes {
  channel: Channel
  templateId: string
}

/** One coming day, with exact numbers. */
export interface ReachDay extends ReachSums {
  date: BusinessDate
  /** See ComingDay. */
  position: number | null
}

export interface ReachForecast {
  from: BusinessDate
  /** When it was computed, in ms. */
  asOf: number
  days: ReachDay[]
}

/** Adds up the pages of an account's users, one after the other. */
export interface ForecastSums {
  addPage(page: Range): Promise<void>
  result(): ReachForecast
}

/** Prepares the forecast of the coming `count` days, as things stand at `now`. */
export function startForecast(db: Knex, account: ForecastAccount, count: number, now: number): ForecastSums {
  const coming = comingDays(account, count, now)
  const moments = momentsOf(coming)
  const { add, sums } = createReachSums(moments)
  return {
    async addPage(page) {
      for (const { profile, users } of await countProfiles(db, { account, page, days: moments }))
        add(profile, users)
    },
    result: () => ({
      from: coming.from,
      asOf: now,
      days: coming.days.map(({ date, position }, i) => ({
        date,
        position,
        ...(sums[i] ?? { reachable: 0, permitsLeft: 0, goingDark: 0 }),
      })),
    }),
  }
}

/** The days of a forecast, and the next one on which reminders go out. */
export function momentsOf({ days, next }: ComingDays): ComingDays['days'] {
  return next ? [...days, next] : days
}

/**
 * The exact forecast, from every user of the account (a million with five million permits: two minutes on two cores that
 * had much else to do). While a run is at work, the pages are of different moments. `onPage` is told the number of
 * counters read so far.
 */
export async function computeForecast(
  db: Knex,
  account: ForecastAccount,
  { days, now, onPage = () => {} }: { days: number; now: number; onPage?: (counters: number) => void },
): Promise<ReachForecast> {
  const forecast = startForecast(db, account, days, now)
  let pages = 0
  for await (const page of userPages(db, account.appId, PAGE)) {
    await forecast.addPage(page)
    onPage(++pages * PAGE)
  }
  return forecast.result()
}
