import { FORM_ID_LIFETIME_MS, NEVER_EXPIRES, VALIDITY_MARGIN_MS } from '../books/index.js'
import { type Channel, needsPermit } from '../channel.js'

/**
 * With this many days covered, a page need not ask. A form_id lives for seven days, so an eighth would run
 * out unused; more accepted subscriptions could be kept, but an eighth reminder does not win back a user who
 * stays away for a week.
 */
export const ENOUGH_DAYS = 7

/** What is known about a user when the page asks. */
export interface Holdings {
  /** The ends of validity of the usable permits, ascending, in ms. */
  expires: number[]
  /** The next days on which a reminder may be sent, and its time on each of them, ascending. */
  reminders: { date: number; at: number }[]
  /**
   * `refused`: WeChat said so when a message was sent; a new consent lifts it. `opted_out` and `blocked` stay
   * until somebody lifts them by hand.
   */
  stop: 'refused' | 'opted_out' | 'blocked' | undefined
}

export type AskReason =
  | 'none_left'
  | 'few_left'
  | 'refused'
  | 'enough'
  | 'opted_out'
  | 'blocked'
  | 'not_needed'

export interface Balance {
  permits: number
  /** How many reminders in a row, one a day, the permits are good for. */
  daysCovered: number
  /** The day of the last of these reminders. */
  coveredUntil: number | undefined
  /** Whether another permit would be useful now, and why or why not. */
  ask: boolean
  reason: AskReason
}

/** What a user has left of one template. */
export interface TemplateBalance {
  templateId: string
  permits: number
  ask: boolean
  reason: AskReason
}

/**
 * Whether to ask for a template that messages of backends use, or that reminders will use after a move: nobody knows
 * when one is sent, so as many are enough as reminders would be.
 */
export function askFor(permits: number, stop: Holdings['stop']): { ask: boolean; reason: AskReason } {
  if (stop === 'opted_out' || stop === 'blocked') return { ask: false, reason: stop }
  if (stop === 'refused') return { ask: true, reason: stop }
  if (permits >= ENOUGH_DAYS) return { ask: false, reason: 'enough' }
  return { ask: true, reason: permits === 0 ? 'none_left' : 'few_left' }
}

/** How far a user's permits reach, and whether a page should ask for another one. */
export function balanceOf(channel: Channel, holdings: Holdings, now: number): Balance {
  const { expires, reminders, stop } = holdings
  const days = covered(expires, reminders)
  const answer = (ask: boolean, reason: AskReason): Balance => ({
    permits: expires.length,
    daysCovered: days,
    coveredUntil: reminders[days - 1]?.date,
    ask,
    reason,
  })
  if (!needsPermit(channel)) return answer(false, 'not_needed')
  if (stop === 'opted_out' || stop === 'blocked') return answer(false, stop)
  if (stop === 'refused') return channel === 'subscribe' ? answer(true, stop) : answer(false, 'opted_out')
  const another = channel === 'subscribe' ? NEVER_EXPIRES : now + FORM_ID_LIFETIME_MS
  const reachesFurther = covered([...expires, another], reminders) > days
  if (days >= ENOUGH_DAYS || !reachesFurther) return answer(false, 'enough')
  return answer(true, days === 0 ? 'none_left' : 'few_left')
}

/**
 * The permit that runs out first is spent first; a permit that has run out by the time of a reminder is lost.
 */
function covered(expires: readonly number[], reminders: Holdings['reminders']): number {
  const sorted = [...expires].sort((a, b) => a - b)
  let next = 0
  let days = 0
  for (const { at } of reminders) {
    while ((sorted[next] ?? Number.POSITIVE_INFINITY) <= at + VALIDITY_MARGIN_MS) next++
    if (next >= sorted.length) break
    next++
    days++
  }
  return days
}
