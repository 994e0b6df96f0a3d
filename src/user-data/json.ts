import { type BusinessDate, toIsoDate } from '../lib/business-date.js'
import { isoTime } from '../lib/iso-time.js'
import { errcodeOf, httpStatusEntry } from '../wechat/errcodes.js'
import type { Errcode } from './schemas.js'

/** How values of the tables are written in answers. */

/** null for 0, by which the tables say "not yet" or "not known". */
export const isoTimeOrNull = (ms: number | null): string | null => (ms ? isoTime(ms) : null)

/** null for 0 and NULL: never, or no day. */
export const isoDateOrNull = (date: BusinessDate | null): string | null => (date ? toIsoDate(date) : null)

/** A code with its meaning; null if none is on record. */
export function errcodeJson(errcode: number | null): Errcode | null {
  if (errcode === null) return null
  // Where no WeChat answered, the HTTP status is on record in place of a code.
  const { name, meaning, meaning_zh } = httpStatusEntry(errcode) ?? errcodeOf(errcode)
  return { errcode, name, meaning, meaning_zh }
}
