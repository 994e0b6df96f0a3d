import { STATES, type State } from '../submitted/schemas.js'
import type { MessageFilter } from './messages-page.js'

/** What addresses and forms of the pages of messages say. */

/** '' for what was not asked for. */
export function filterOf(query: unknown): MessageFilter {
  const values = query as Record<string, unknown>
  const of = (name: string): string => {
    const value = values[name]
    return typeof value === 'string' && value.length <= 64 ? value.trim() : ''
  }
  const asked = of('state')
  const state = (['open', ...STATES] as const).find((one): one is State | 'open' => one === asked)
  return { state: state ?? '', template: of('template'), errcode: of('errcode') }
}

/** The code that a filter names. */
export function errcodeOf({ errcode }: Pick<MessageFilter, 'errcode'>): number | undefined | 'bad' {
  if (errcode === '') return undefined
  return /^-?\d{1,8}$/.test(errcode) ? Number(errcode) : 'bad'
}

export function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[1-9]\d{0,14}$/.test(value)
}

const MOST_HOURS = 7 * 24

/** For how many hours from now something may be sent. */
export function readHours(text: string): number | undefined | 'bad' {
  if (text.trim() === '') return undefined
  const hours = /^\d{1,3}$/.test(text.trim()) ? Number(text) : 0
  return hours >= 1 && hours <= MOST_HOURS ? hours : 'bad'
}
