import type { Bilingual } from '../lib/bilingual.js'
import { parseIsoDate } from '../lib/business-date.js'
import type { Formats } from './format.js'
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
