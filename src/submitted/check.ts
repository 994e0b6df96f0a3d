import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { DAY_MS } from '../lib/durations.js'
import type { Item } from './schemas.js'

/** A message whose fields are in order, and which no longer depends on when it was read. */
export interface CheckedItem {
  templateId: string
  page: string
  /** Text by key of the template. */
  data: Record<string, string>
  notBefore: number
  notAfter: number
}

/** A day: a message that nobody has set a time for is of no use much later. */
const DEFAULT_LIFE_MS = DAY_MS
/** A form_id lives seven days, and a permit is held for as long as its message waits. */
export const LONGEST_WAIT_MS = 7 * DAY_MS
/** Of a text's bytes, so that a queue of many messages has a known size. */
const MAX_DATA_BYTES = 4_096
/** Before 1973: a time in seconds, of any year from now on, is smaller than this. */
const LOOKS_LIKE_SECONDS = 100_000_000_000

/** Throws `unknown_template` or `invalid_request`, which name the field. */
export function checkItem(
  account: Pick<Account, 'templateId' | 'templates'>,
  item: Item,
  now: number,
): CheckedItem {
  const { template_id: templateId, data, page = '' } = item
  checkTemplate(account, templateId)
  if (Buffer.byteLength(JSON.stringify(data)) > MAX_DATA_BYTES)
    throw invalid('data', `must NOT have more than ${MAX_DATA_BYTES} bytes as JSON`)
  return { templateId, page, data, ...checkTimes(item, now) }
}

function checkTemplate(
  { templateId, templates }: Pick<Account, 'templateId' | 'templates'>,
  named: string,
): void {
  const known = [templateId, ...templates].filter(Boolean)
  if (known.includes(named)) return
  throw new ServiceError(
    'unknown_template',
    `template_id: this account has no template ${named}; it sends ${known.join(', ') || 'none'}. Add it to TEMPLATES, or send another one`,
    { field: 'template_id', template_id: named, known },
  )
}

function checkTimes(
  { not_before, not_after }: Item,
  now: number,
): Pick<CheckedItem, 'notBefore' | 'notAfter'> {
  for (const [field, time] of Object.entries({ not_before, not_after }))
    if (time !== undefined && time > 0 && time < LOOKS_LIKE_SECONDS)
      throw invalid(field, 'looks like seconds; send milliseconds since 1970')
  const notBefore = Math.max(not_before ?? now, now)
  const notAfter = not_after ?? Math.min(notBefore + DEFAULT_LIFE_MS, now + LONGEST_WAIT_MS)
  if (notAfter <= now) throw invalid('not_after', 'is over')
  if (notAfter > now + LONGEST_WAIT_MS) throw invalid('not_after', 'must be within 7 days from now')
  if (notBefore >= notAfter)
    throw not_after === undefined
      ? invalid('not_before', 'must be within 7 days from now')
      : invalid('not_before', 'must be before not_after')
  return { notBefore, notAfter }
}

function invalid(field: string, fault: string): ServiceError {
  return new ServiceError('invalid_request', `${field}: ${fault}`, { field })
}
