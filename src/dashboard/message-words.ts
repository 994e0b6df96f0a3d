import { findingOf } from '../findings/by-code.js'
import { KNOWN_ERRORS } from '../findings/catalogue.js'
import type { State } from '../submitted/schemas.js'
import type { SubmittedAttempt, SubmittedMessage } from '../submitted/status-schemas.js'
import { codeOf, inLanguage, meaningOf, withCode } from './answers.js'
import { badge, type Tone } from './components.js'
import { type Html, html, type Part } from './html.js'
import type { Scribe } from './reader.js'

/** How submitted messages are named on pages. */

export const messagesPath = ({ home }: Scribe): string => `${home}/messages`

export const STATE_TONES: Record<State | 'open', Tone> = {
  open: 'info',
  queued: 'info',
  sending: 'info',
  retry: 'info',
  delivered: 'good',
  failed: 'bad',
  unknown: 'warn',
  cancelled: 'quiet',
  no_permit: 'warn',
  expired: 'warn',
  dead: 'bad',
}

export function stateBadge({ texts }: Scribe, state: State): Html {
  return badge(STATE_TONES[state], texts.messages.states[state])
}

/** Where a message stands, in a sentence or two. Its times are those of the account's zone, as everywhere on pages. */
export function sentenceOf({ texts, format }: Scribe, message: SubmittedMessage): string {
  return meaningOf(texts, message).replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (time) =>
    format.dateTime(Date.parse(time)),
  )
}

/** What WeChat answered to an attempt, and what to do about it. */
export function answerOf({ texts }: Scribe, { answer, errmsg }: SubmittedAttempt): Part {
  if (answer === null)
    return html`${texts.messages.noAnswer}${errmsg !== null && html`<small>${errmsg}</small>`}`
  const finding = findingOf(answer)
  return html`${codeOf(answer)}${meaningOf(texts, answer)}${
    finding !== null &&
    html`<small>${texts.errors.whatToDo}${texts.frame.colon}${withCode(inLanguage(texts, KNOWN_ERRORS[finding].fix))} <code>${finding}</code></small>`
  }`
}
