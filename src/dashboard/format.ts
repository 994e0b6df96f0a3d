import { type BusinessDate, toDateTime } from '../lib/business-date.js'
import type { Language } from './preferences.js'

const LOCALES: Record<Language, string> = { en: 'en-GB', zh: 'zh-CN' }

/** Numbers and times as the reader's language writes them, in the account's zone. */
export interface Formats {
  locale: string
  number(value: number): string
  /** 0.123 -> 12.3 % */
  percent(share: number): string
  /** With its weekday. */
  day(date: BusinessDate): string
  /** Without a year, for tables and axes. */
  shortDay(date: BusinessDate): string
  /** 10:05 */
  time(ms: number): string
  dateTime(ms: number): string
  /** With seconds. */
  moment(ms: number): string
  duration(ms: number): string
}

export function createFormats(language: Language, timeZone: string): Formats {
  const locale = LOCALES[language]
  const numbers = new Intl.NumberFormat(locale)
  const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 })
  const dates = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, options)
  const ofDay = { timeZone: 'UTC', month: 'short', day: 'numeric' } as const
  const days = dates({ ...ofDay, year: 'numeric', weekday: 'short' })
  const shortDays = dates(ofDay)
  const clock = { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  const times = dates(clock)
  const dateTimes = dates({ ...clock, month: 'short', day: 'numeric' })
  const moments = dates({ ...clock, second: '2-digit', month: 'short', day: 'numeric' })
  const unit = (value: number, name: 'millisecond' | 'second' | 'minute' | 'hour' | 'day') =>
    new Intl.NumberFormat(locale, {
      style: 'unit',
      unit: name,
      unitDisplay: language === 'zh' ? 'long' : 'short',
      maximumFractionDigits: 1,
    }).format(value)
  const utc = (date: BusinessDate) => toDateTime(date, 'utc').toMillis()

  return {
    locale,
    number: (value) => numbers.format(value),
    percent: (share) => percents.format(share),
    day: (date) => days.format(utc(date)),
    shortDay: (date) => shortDays.format(utc(date)),
    time: (ms) => times.format(ms),
    dateTime: (ms) => dateTimes.format(ms),
    moment: (ms) => moments.format(ms),
    duration(ms) {
      const seconds = Math.max(0, ms / 1_000)
      if (seconds < 1) return unit(Math.ceil(seconds * 1_000), 'millisecond')
      if (seconds < 90) return unit(seconds < 10 ? seconds : Math.round(seconds), 'second')
      if (seconds < 90 * 60) return unit(Math.round(seconds / 60), 'minute')
      if (seconds < 48 * 3_600) return unit(Math.round(seconds / 360) / 10, 'hour')
      return unit(Math.round(seconds / 86_400), 'day')
    },
  }
}
