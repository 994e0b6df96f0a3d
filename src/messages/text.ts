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
const KNOWN = ['streak', ...Object.keys(DAY_PLACEHOLDERS)]
const PLACEHOLDER = /\{(\w+)\}/g

/**
 * Reads REMINDER_DATA: a JSON object with at least one text, one per key of the template. Throws with the reason if
 * it is anything else, or if a text has an unknown placeholder.
 */
export function parseReminderData(json: string): Record<string, string> {
  const data: unknown = JSON.parse(json)
  if (typeof data !== 'object' || data === null || Array.isArray(data) || Object.keys(data).length === 0) {
    throw new Error('must be a JSON object such as {"keyword1":"日领积分","keyword4":"{date}"}')
  }
  for (const [key, text] of Object.entries(data)) {
    if (typeof text !== 'string' || text === '') throw new Error(`"${key}" must be a non-empty text`)
    for (const [, name = ''] of text.matchAll(PLACEHOLDER)) {
      if (!KNOWN.includes(name)) {
        throw new Error(`"${key}" has {${name}}; known are {${KNOWN.join('}, {')}}`)
      }
    }
  }
  return data as Record<string, string>
}

/** The template data as WeChat takes it, e.g. {"keyword2":{"value":"已经连续答题3天"}}. */
export function renderReminder(data: Record<string, string>, { date, streak }: ReminderFacts): TemplateData {
  return reminderRenderer(data, date)(streak)
}

/** Renders the reminders of one day. The day is filled in once: formatting it takes longer than all the rest. */
export function reminderRenderer(
  data: Record<string, string>,
  date: BusinessDate,
): (streak: number) => TemplateData {
  const ofDay = Object.entries(data).map(([key, text]) => ({
    key,
    text: text.replace(PLACEHOLDER, (whole, name: string) => DAY_PLACEHOLDERS[name]?.(date) ?? whole),
  }))
  return (streak) => {
    const rendered: TemplateData = {}
    for (const { key, text } of ofDay) rendered[key] = { value: text.replaceAll(STREAK, String(streak)) }
    return rendered
  }
}
