import type { Knex } from 'knex'
import { addDays, businessDate, toIsoDate } from '../lib/business-date.js'
import { type DayRow, findDays } from './day-store.js'

/** What came in and what went out, day by day. */
export interface Flow {
  /** When today was counted, ISO 8601; null: not yet. New permits are a minute or two behind at most. */
  as_of: string | null
  days: {
    date: string
    /** New permits. */
    granted: { form: number; pay: number; subscribe: number }
    /** Permits spent on the reminders of the day, one for each that was not given back. */
    spent: number
    /** Of these reminders, those that failed. */
    failed: number
    /** Permits that the sweeps of the day found to have run out. */
    expired: number
    sign_ins: number
  }[]
}

const MAX_HISTORY_DAYS = 90

/** The flow of permits and sign-ins of the last days, today last. From kept sums: a row a day. */
export async function findFlow(
  db: Knex,
  account: { appId: string; timezone: string },
  { days }: { days: number },
  now: number,
): Promise<Flow> {
  const rows = await lastDays(db, account, days, now)
  return {
    as_of: asOfToday(rows),
    days: rows.map((row) => ({
      date: toIsoDate(row.day),
      granted: { form: row.granted_form, pay: row.granted_pay, subscribe: row.granted_subscribe },
      spent: row.spent,
      failed: row.failed,
      expired: row.expired,
      sign_ins: row.sign_ins,
    })),
  }
}

/** The summary of each of the last days, today last. A day without one has zeros. */
export async function lastDays(
  db: Knex,
  { appId, timezone }: { appId: string; timezone: string },
  days: number,
  now: number,
): Promise<DayRow[]> {
  const last = businessDate(now, timezone)
  const first = addDays(last, 1 - Math.min(days, MAX_HISTORY_DAYS))
  const rows = new Map((await findDays(db, appId, { first, last })).map((row) => [row.day, row]))
  const all: DayRow[] = []
  for (let day = first; day <= last; day = addDays(day, 1)) all.push(rows.get(day) ?? { ...EMPTY, day })
  return all
}

/** As of when the last of the days was counted. */
export function asOfToday(rows: DayRow[]): string | null {
  const asOf = rows.at(-1)?.as_of ?? 0
  return asOf === 0 ? null : new Date(asOf).toISOString()
}

const EMPTY: Omit<DayRow, 'day'> = {
  granted_form: 0,
  granted_pay: 0,
  granted_subscribe: 0,
  spent: 0,
  failed: 0,
  expired: 0,
  sign_ins: 0,
  reminded: 0,
  reminded_signed_in: 0,
  others: 0,
  others_signed_in: 0,
  as_of: 0,
}
