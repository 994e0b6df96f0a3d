import { CronExpressionParser } from 'cron-parser'
import type { BusinessDate } from './business-date.js'
import { dayExists, timeOn, toDateTime } from './business-date.js'

/** A cron expression of five fields, as sets of the numbers it matches. */
export interface Cron {
  minutes: number[]
  hours: number[]
  matchesDay(date: BusinessDate): boolean
}

const SUNDAY_ALSO = 7
/**
 * Extensions of cron-parser: H (a different minute at each parse), `1#2`, `5L` and `5/20`. They would match
 * wrongly here, or node-cron refuses them.
 */
const EXTENSION = /\bH|#|\dL|(^|[\s,])\d+\//i

/**
 * Throws with the reason if the text is not a cron expression of five fields (minute hour day month weekday).
 */
export function parseCron(text: string): Cron {
  if (text.trim().split(/\s+/).length !== 5) {
    throw new Error(`"${text}" must have five fields: minute hour day-of-month month day-of-week`)
  }
  const extension = EXTENSION.exec(text)?.[0].trim()
  if (extension) throw new Error(`"${text}" has ${extension}, which is not supported`)
  const { fields } = CronExpressionParser.parse(text)
  const months = new Set(fields.month.values.map(Number))
  const weekdays = new Set(fields.dayOfWeek.values.map((day) => Number(day) % SUNDAY_ALSO))
  const days = new Set<number | string>(fields.dayOfMonth.values)
  const everyDay = fields.dayOfMonth.isWildcard
  const everyWeekday = fields.dayOfWeek.isWildcard
  return {
    minutes: fields.minute.values.map(Number),
    hours: fields.hour.values.map(Number),
    matchesDay(date) {
      const day = toDateTime(date, 'utc')
      if (!months.has(day.month)) return false
      const byDay = days.has(day.day) || (days.has('L') && day.day === day.daysInMonth)
      const byWeekday = weekdays.has(day.weekday % SUNDAY_ALSO)
      // As in cron(5): when both the day of the month and the weekday are restricted, either is enough.
      if (everyDay || everyWeekday) return byDay && byWeekday
      return byDay || byWeekday
    },
  }
}

/**
 * The firings of one local day in order, in ms. A wall-clock time that a DST change skips fires after the
 * gap, later by its length (02:30 at 03:30); a time that comes twice fires the first time. So each day keeps
 * its firings, and none is doubled. (node-cron alone would leave out a skipped 02:30: it compares each
 * second's wall clock with the expression.)
 */
export function firingsOn(cron: Cron, date: BusinessDate, zone: string): number[] {
  if (!dayExists(date, zone) || !cron.matchesDay(date)) return []
  const times = cron.hours.flatMap((hour) => cron.minutes.map((minute) => timeOn(date, hour, minute, zone)))
  return [...new Set(times)].sort((a, b) => a - b)
}
