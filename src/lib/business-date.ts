import { DateTime } from 'luxon'

/** A calendar day written YYYYMMDD as a number, e.g. 20261120: readable in a table, and it sorts. */
export type BusinessDate = number

/** The day it is at `now` (ms) in an IANA zone. */
export function businessDate(now: number, zone: string): BusinessDate {
  return fromDateTime(DateTime.fromMillis(now, { zone }))
}

export function addDays(date: BusinessDate, days: number): BusinessDate {
  return fromDateTime(toDateTime(date, 'utc').plus({ days }))
}

/** How many days `later` is after `earlier`. */
export function daysBetween(earlier: BusinessDate, later: BusinessDate): number {
  return toDateTime(later, 'utc').diff(toDateTime(earlier, 'utc'), 'days').days
}

/** 2026-11-20, the form in which commands and the API write a day. */
export function toIsoDate(date: BusinessDate): string {
  return toDateTime(date, 'utc').toISODate() ?? ''
}

/** Reads YYYY-MM-DD; undefined for anything else, including a day that does not exist. */
export function parseIsoDate(text: string): BusinessDate | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined
  const parsed = DateTime.fromISO(text, { zone: 'utc' })
  return parsed.isValid ? fromDateTime(parsed) : undefined
}

/**
 * The moment (ms) at which a wall clock of the zone shows `hour:minute` on that day. A time that a DST change
 * skips moves forward by the length of the gap; if a time comes twice, the first one counts.
 */
export function timeOn(date: BusinessDate, hour: number, minute: number, zone: string): number {
  const time = toDateTime(date, zone).set({ hour, minute })
  const [first = time] = time.getPossibleOffsets()
  return first.toMillis()
}

/** Whether the zone has the day at all: Pacific/Apia went from 2011-12-29 to 2011-12-31. */
export function dayExists(date: BusinessDate, zone: string): boolean {
  return fromDateTime(toDateTime(date, zone)) === date
}

export function toDateTime(date: BusinessDate, zone: string): DateTime {
  return DateTime.fromObject(
    { year: Math.floor(date / 10_000), month: Math.floor(date / 100) % 100, day: date % 100 },
    { zone },
  )
}

function fromDateTime(time: DateTime): BusinessDate {
  return time.year * 10_000 + time.month * 100 + time.day
}
