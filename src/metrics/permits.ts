import type { Knex } from 'knex'
import { type BusinessDate, daysBetween } from '../lib/business-date.js'
import { findNewest, type KeptDay } from '../summaries/forecast-store.js'
import type { Instruments } from './instruments.js'
import * as store from './store.js'

/** As far as alerts look; the forecast itself goes further. */
const LAST_DAY = 7

/** What `summarize` keeps of the permits of an account. */
export interface PermitStanding {
  stock: { source: string; days_left: number; permits: number }[]
  flow: store.FlowRow | undefined
  forecast: KeptDay[]
}

export async function readPermits(db: Knex, appId: string): Promise<PermitStanding> {
  return {
    stock: await store.findStock(db, appId),
    flow: await store.findNewestFlow(db, appId),
    forecast: await findNewest(db, appId),
  }
}

export interface PermitMetrics {
  /** Forgets the days and the sources of all accounts: those that are gone must not stay. */
  clear(): void
  /** `today` is that of the account. */
  show(appId: string, standing: PermitStanding, today: BusinessDate): void
}

export function createPermitMetrics(instruments: Instruments): PermitMetrics {
  const unspent = instruments.gauge(
    'permits',
    'Unspent permits by source and whole days left (30: so many or more; never: they do not run out), as last counted.',
    ['app_id', 'source', 'days_left'],
  )
  const flow = instruments.gauge(
    'permits_of_day',
    'Permits of the newest day that was summarized, by what became of them: granted, spent on reminders, or expired.',
    ['app_id', 'state'],
  )
  const reachable = instruments.gauge(
    'reachable_users',
    'Users who could be reminded in so many days if no permit arrives and nobody signs in, as last forecast.',
    ['app_id', 'in_days'],
  )
  const countedAt = instruments.gauge(
    'forecast_timestamp_seconds',
    'When the newest forecast was computed.',
    ['app_id'],
  )
  function show(app_id: string, { stock, flow: day, forecast }: PermitStanding, today: BusinessDate): void {
    for (const { source, days_left, permits } of stock)
      unspent.set({ app_id, source, days_left: days_left < 0 ? 'never' : String(days_left) }, permits)
    if (day) {
      const granted = day.granted_form + day.granted_pay + day.granted_subscribe
      flow.set({ app_id, state: 'granted' }, granted)
      flow.set({ app_id, state: 'spent' }, day.spent)
      flow.set({ app_id, state: 'expired' }, day.expired)
    }
    for (const { day: date, reachable: users, as_of } of forecast) {
      const in_days = daysBetween(today, date)
      if (in_days < 0 || in_days > LAST_DAY) continue
      reachable.set({ app_id, in_days: String(in_days) }, users)
      countedAt.set({ app_id }, as_of / 1_000)
    }
  }

  return {
    show,
    clear() {
      unspent.reset()
      reachable.reset()
    },
  }
}
