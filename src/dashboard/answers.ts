import type { Bilingual } from '../lib/bilingual.js'
import { parseIsoDate } from '../lib/business-date.js'
import type { RunError } from '../reminders/status.js'
import type { Formats } from './format.js'
import { type Html, html } from './html.js'
import type { Texts } from './texts.js'

/** How values of JSON answers are written on a page. */

/** A day, YYYY-MM-DD. */
export function day(format: Formats, isoDate: string): string {
  const date = parseIsoDate(isoDate)
  return date === undefined ? isoDate : format.shortDay(date)
}

export function meaningOf({ frame }: Texts, entry: { meaning: string; meaning_zh: string }): string {
  return frame.language_tag === 'zh' ? entry.meaning_zh : entry.meaning
}

export function inLanguage({ frame }: Texts, text: Bilingual): string {
  return frame.language_tag === 'zh' ? text.zh : text.en
}

/** Fewer days make no picture. */
const FEWEST_DAYS = 14

/** Days without those at the beginning on which there was nothing yet. */
export function sinceFirst<Day>(days: Day[], isEmpty: (one: Day) => boolean): Day[] {
  const first = days.findIndex((one) => !isEmpty(one))
  return days.slice(first < 0 ? -FEWEST_DAYS : Math.min(first, Math.max(0, days.length - FEWEST_DAYS)))
}

/** A code with its name; some answers have no code. */
export function codeOf({ errcode, name }: Pick<RunError, 'errcode' | 'name'>): Html {
  return errcode === null ? html`${name}` : html`${errcode} <small>${name}</small>`
}

/** A text with its `words in code` as such. */
export function withCode(text: string): Html {
  return html`${text.split('`').map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : part))}`
}
