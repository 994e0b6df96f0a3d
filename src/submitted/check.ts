import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { DAY_MS } from '../lib/durations.js'
import { isWebAddress, openingOf } from '../messages/opening.js'
import { checkValue, fitValue } from '../wechat/template-values.js'
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
/** Of all texts together, so that a queue of many messages has a known size. */
const MAX_DATA_BYTES = 4_096

/** The name of a field in a fault. */
type PathOf = (field: string) => string

/**
 * Looks at a message, and shortens texts that are too long for the type of their key. Throws `unknown_template` or
 * `invalid_request`, which name the field.
 */
export function checkItem(
  account: Pick<Account, 'channel' | 'templateId' | 'templates' | 'miniprogram'>,
  item: Item,
  pathOf: PathOf,
  now: number,
): CheckedItem {
  const { template_id: templateId, page = '' } = item
  checkTemplate(account, templateId, pathOf)
  checkPage(account, page, pathOf)
  return { templateId, page, data: fitData(item.data, pathOf), ...checkTimes(item, pathOf, now) }
}

function checkPage(account: Pick<Account, 'channel' | 'miniprogram'>, page: string, pathOf: PathOf): void {
  if (account.channel !== 'official') {
    if (isWebAddress(page))
      throw invalid(
        pathOf('page'),
        'must be a page of the mini-program, such as pages/parcel/index: only messages of a service account open web addresses',
      )
  } else if (page !== '' && !openingOf(page, account))
    throw invalid(
      pathOf('page'),
      'must be a web address, or the account must name the mini-program whose page it is: REMINDER_MINIPROGRAM',
    )
}

function checkTemplate(
  { templateId, templates }: Pick<Account, 'templateId' | 'templates'>,
  named: string,
  pathOf: PathOf,
): void {
  const known = [templateId, ...templates].filter(Boolean)
  if (known.includes(named)) return
  const field = pathOf('template_id')
  throw new ServiceError(
    'unknown_template',
    `${field}: this account has no template ${named}; it sends ${known.join(', ') || 'none'}. If it is right, add it to TEMPLATES`,
    { field, template_id: named, known },
  )
}

function fitData(data: Record<string, string>, pathOf: PathOf): Record<string, string> {
  if (Buffer.byteLength(JSON.stringify(data)) > MAX_DATA_BYTES)
    throw invalid(pathOf('data'), `must NOT have more than ${MAX_DATA_BYTES} bytes as JSON`)
  const fitted = Object.entries(data).map(([key, text]) => [key, fitValue(key, text)] as const)
  for (const [key, text] of fitted) {
    const fault = checkValue(key, text)
    if (fault) throw invalid(pathOf(`data.${key}`), fault.en)
  }
  return Object.fromEntries(fitted)
}

function checkTimes(
  { not_before, not_after }: Item,
  pathOf: PathOf,
  now: number,
): Pick<CheckedItem, 'notBefore' | 'notAfter'> {
  const notBefore = Math.max(not_before ?? now, now)
  const notAfter = not_after ?? Math.min(notBefore + DEFAULT_LIFE_MS, now + LONGEST_WAIT_MS)
  if (notAfter <= now) throw invalid(pathOf('not_after'), 'is over')
  if (notAfter > now + LONGEST_WAIT_MS) throw invalid(pathOf('not_after'), 'must be within 7 days from now')
  if (notBefore >= notAfter)
    throw invalid(
      pathOf('not_before'),
      not_after === undefined ? 'must be within 7 days from now' : 'must be before not_after',
    )
  return { notBefore, notAfter }
}

function invalid(field: string, fault: string): ServiceError {
  return new ServiceError('invalid_request', `${field}: ${fault}`, { field })
}
