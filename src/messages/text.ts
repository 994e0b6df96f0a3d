import type { AlternativeText, ReminderData } from '../account.js'
import { type BusinessDate, toDateTime } from '../lib/business-date.js'
import type { TemplateData } from '../wechat/messages.js'

/** What a reminder's placeholders stand for. */
export interface ReminderFacts {
  date: BusinessDate
  streak: number
}

/** Placeholders that are the same for everyone on a day. */
const DAY_PLACEHOLDERS: Record<string, (date: BusinessDate) => string> = {
  date: (date) => toDateTime(date, 'utc').toFormat('yyyy.MM.dd'),
  weekday: (date) => toDateTime(date, 'utc').setLocale('zh-CN').toFormat('cccc'),
}
const STREAK = '{streak}'
export const PLACEHOLDER = /\{(\w+)\}/g
export const PLACEHOLDERS = ['streak', ...Object.keys(DAY_PLACEHOLDERS)]

/**
 * The most that {streak} says: 273 years of days. So every text that can come out is one that was checked when it was
 * read, also if somebody writes a longer streak into the database.
 */
export const MAX_STREAK = 99_999

/** The alternatives of a value in their order; a plain text is the only one. */
export function alternativesOf(value: string | AlternativeText[]): AlternativeText[] {
  return typeof value === 'string' ? [{ text: value }] : value
}

/** Fills in the day, and leaves {streak}. */
export function fillDay(text: string, date: BusinessDate): string {
  return text.replace(PLACEHOLDER, (whole, name: string) => DAY_PLACEHOLDERS[name]?.(date) ?? whole)
}

/** Fills in the streak, where it is said at all. */
export function fillStreak(text: string, streak: number): string {
  return text.replaceAll(STREAK, String(Math.min(Math.max(streak, 0), MAX_STREAK)))
}

/** The template data as WeChat takes it, e.g. {"keyword2":{"value":"已经连续答题3天"}}. */
export function renderReminder(data: ReminderData, { date, streak }: ReminderFacts): TemplateData {
  return reminderRenderer(data, date)(streak)
}

/** The texts of a message without a day, which are said as they are. */
export function literalTexts(data: ReminderData): TemplateData {
  const texts = Object.entries(data).map(([key, value]) => [
    key,
    { value: alternativesOf(value).at(-1)?.text ?? '' },
  ])
  return Object.fromEntries(texts)
}

interface Field {
  key: string
  alternatives: { from: number; text: string; says: boolean }[]
}

/**
 * Renders the reminders of one day. The day is filled in once: formatting it takes longer than all the rest. What is said
 * of a streak is made once as well, and shared by all users who have it; for the users of one claim, so that it is bounded.
 */
export function reminderRenderer(data: ReminderData, date: BusinessDate): (streak: number) => TemplateData {
  const fields: Field[] = Object.entries(data).map(([key, value]) => ({
    key,
    alternatives: alternativesOf(value).map(({ min_streak: from = 0, text }) => ({
      from,
      text: fillDay(text, date),
      says: text.includes(STREAK),
    })),
  }))
  const render = (streak: number): TemplateData => {
    const rendered: TemplateData = {}
    for (const { key, alternatives } of fields) {
      const fits = alternatives.find(({ from }) => streak >= from) ?? alternatives.at(-1)
      if (fits) rendered[key] = { value: fits.says ? fillStreak(fits.text, streak) : fits.text }
    }
    return rendered
  }
  const known = new Map<number, TemplateData>()
  return (streak) => {
    const said = known.get(streak) ?? render(streak)
    known.set(streak, said)
    return said
  }
}
