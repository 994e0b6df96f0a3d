import { businessDate } from '../lib/business-date.js'
import { groupBy } from '../lib/group-by.js'
import type { Message, UserDetail } from '../user-data/schemas.js'
import { day, meaningOf } from './answers.js'
import type { Tone } from './components.js'
import { type Html, html, type Part } from './html.js'
import { type IconName, icon } from './icons.js'
import { messagesPath } from './message-words.js'
import type { Scribe } from './reader.js'

interface Happening {
  at: number
  tone: Tone
  symbol: IconName
  what: Part
  more: string[]
}

/** The newest permits, sign-ins and messages of a user in one list, the newest first. */
export function timeline(scribe: Scribe, user: UserDetail): Html {
  const { texts, format, account } = scribe
  const all = [...permits(scribe, user), ...signIns(scribe, user), ...messages(scribe, user)].sort(
    (a, b) => b.at - a.at,
  )
  if (all.length === 0) return html`<p class="empty">${texts.user.nothing}</p>`
  const days = groupBy(all, ({ at }) => businessDate(at, account.timezone))
  return html`<div class="timeline">${[...days].map(
    ([date, happenings]) =>
      html`<h3>${format.day(date)}</h3><ol>${happenings.map((happening) => line(scribe, happening))}</ol>`,
  )}</div>`
}

function line({ format }: Scribe, { at, tone, symbol, what, more }: Happening): Html {
  return html`<li class="${tone}">${icon(symbol)}<div>${what}<small>${[format.time(at), ...more].join(' · ')}</small></div></li>`
}

function permits({ texts }: Scribe, { permits: { items } }: UserDetail): Happening[] {
  const t = texts.user
  return items.flatMap(({ created_at, source, status, spoiled_by }) =>
    created_at === null
      ? []
      : {
          at: Date.parse(created_at),
          tone: spoiled_by ? 'warn' : 'quiet',
          symbol: 'permits',
          what: t.gotPermit(t.sources[source] ?? source),
          more: [
            t.permitStates[status] ?? status,
            ...(spoiled_by ? [t.spoiled(`${spoiled_by.errcode} ${meaningOf(texts, spoiled_by)}`)] : []),
          ],
        },
  )
}

function signIns({ texts, format }: Scribe, { sign_ins: { items } }: UserDetail): Happening[] {
  return items.map(({ created_at, streak }) => ({
    at: Date.parse(created_at),
    tone: 'good',
    symbol: 'signIn',
    what: texts.user.signedInOn(format.number(streak)),
    more: [],
  }))
}

const TONES: Record<string, Tone> = { delivered: 'good', failed: 'bad', unknown: 'warn', cancelled: 'quiet' }

function messages(scribe: Scribe, { messages: { items } }: UserDetail): Happening[] {
  return items.map((message) => ({
    at: Date.parse(message.settled_at ?? message.created_at),
    tone: TONES[message.state] ?? 'info',
    symbol: 'card',
    what: whatOf(scribe, message),
    more: moreOf(scribe, message),
  }))
}

/** Submitted messages have a page of their own. */
function whatOf(scribe: Scribe, { id, kind, state }: Message): Part {
  const words = scribe.texts.user.messages[state] ?? state
  return kind === 'api' ? html`<a href="${messagesPath(scribe)}/${id}">${words}</a>` : words
}

function moreOf(
  { texts, format }: Scribe,
  { date, attempts, answer, delivery_status, rid }: Message,
): string[] {
  const t = texts.user
  return [
    date === null ? t.ofApi : t.forDay(day(format, date)),
    ...(attempts > 1 ? [t.attempts(format.number(attempts))] : []),
    ...(answer && answer.errcode !== 0
      ? [`${answer.errcode} ${answer.name}: ${meaningOf(texts, answer)}`]
      : []),
    ...(delivery_status ? [delivery_status] : []),
    ...(rid && answer ? [`rid ${rid}`] : []),
  ]
}
