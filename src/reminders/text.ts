import type { BusinessDate } from '../lib/business-date.js'
import { toDateTime } from '../lib/business-date.js'

/** What a reminder's placeholders stand for. */
export interface ReminderFacts {
  date: BusinessDate
  streak: number
}

type Rendered = Record<string, { value: string }>

const PLACEHOLDERS: Record<string, (facts: ReminderFacts) => string> = {
  streak: ({ streak }) => String(streak),
  date: ({ date }) => toDateTime(date, 'utc').toFormat('yyyy.MM.dd'),
  weekday: ({ date }) => toDateTime(date, 'utc').setLocale('zh-CN').toFormat('cccc'),
}
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
      if (!Object.hasOwn(PLACEHOLDERS, name)) {
        throw new Error(`"${key}" has {${name}}; known are {${Object.keys(PLACEHOLDERS).join('}, {')}}`)
      }
    }
  }
  return data as Record<string, string>
}

/** The template data as WeChat takes it, e.g. {"keyword2":{"value":"已经连续答题3天"}}. */
export function renderReminder(data: Record<string, string>, facts: ReminderFacts): Rendered {
  const rendered: Rendered = {}
  for (const [key, text] of Object.entries(data)) {
    rendered[key] = {
      value: text.replace(PLACEHOLDER, (_, name: string) => PLACEHOLDERS[name]?.(facts) ?? ''),
    }
  }
  return rendered
}
