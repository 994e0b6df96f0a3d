import { type CountOf, MOST_COUNTED } from '../submitted/count-store.js'
import { STATES, type State } from '../submitted/schemas.js'
import type { SubmittedMessage, SubmittedPage } from '../submitted/status-schemas.js'
import { choice, figures, linkButton, pageHead, panel, table } from './components.js'
import { type Html, html, type Part } from './html.js'
import { messagesPath, STATE_TONES, stateBadge } from './message-words.js'
import type { Page, Reader, Scribe } from './reader.js'
import { userPath } from './user-page.js'

/** Which messages are shown; '' = all. */
export interface MessageFilter {
  state: State | 'open' | ''
  template: string
  errcode: string
}

/** How a message may have ended, and before that `open`, in the order of the page. */
export const KINDS = [
  'open',
  'delivered',
  'failed',
  'unknown',
  'dead',
  'no_permit',
  'expired',
  'cancelled',
] as const

export interface MessagesFacts {
  filter: MessageFilter
  list: SubmittedPage
  /** Not the first page. */
  isLater: boolean
  counts: CountOf<(typeof KINDS)[number]>[]
  /** Titles by template, as far as WeChat has listed them. */
  titles: ReadonlyMap<string, string>
  fault?: string
}

/** Submitted messages. `dead` is what can be done about dead letters. */
export function messagesPage(reader: Reader, facts: MessagesFacts, dead: Part): Page {
  const t = reader.texts.messages
  const { filter, list, isLater } = facts
  const older = list.next !== null && messagesUrl(reader, filter, { before: list.next })
  return {
    title: t.title,
    section: 'messages',
    body: html`${pageHead(t.title, t.lead)}
${panel(t.counts, counts(reader, facts), { note: t.countsNote(reader.format.number(MOST_COUNTED)) })}
${filterForm(reader, facts)}
${panel(
  filter.state === '' ? t.title : t.states[filter.state],
  html`${table(t.title, columns(reader, facts.titles), list.items, older === false ? t.empty : t.emptyYet)}
${(older !== false || isLater) && html`<div class="buttons">${isLater && linkButton(messagesUrl(reader, filter), t.newest)}${older !== false && linkButton(older, t.older)}</div>`}`,
)}
${dead}`,
  }
}

/** The address of a list. */
export function messagesUrl(
  scribe: Scribe,
  { state, template, errcode }: MessageFilter,
  more: Record<string, string> = {},
): string {
  const asked = Object.entries({ state, template, errcode, ...more }).filter(([, value]) => value !== '')
  const query = new URLSearchParams(asked).toString()
  return `${messagesPath(scribe)}${query === '' ? '' : `?${query}`}`
}

function counts(reader: Reader, { counts: all }: MessagesFacts): Html {
  const { texts, format } = reader
  const t = texts.messages
  return figures(
    KINDS.map((kind) => {
      const { messages, isAll } = all.find(({ state }) => state === kind) ?? { messages: 0, isAll: true }
      const number = format.number(messages)
      const url = messagesUrl(reader, { state: kind, template: '', errcode: '' })
      return {
        label: t.states[kind],
        tone: STATE_TONES[kind],
        value: messages === 0 ? number : html`<a href="${url}">${isAll ? number : t.orMore(number)}</a>`,
      }
    }),
  )
}

function filterForm(reader: Reader, { filter, titles, fault }: MessagesFacts): Html {
  const { texts, account } = reader
  const t = texts.messages
  const templates = [account.templateId, ...account.templates].filter(Boolean)
  const nameOf = (id: string): string => titles.get(id) ?? id
  return html`<form method="get" action="${messagesPath(reader)}" class="panel form row">
${choice('state', t.state, t.all, ['open', ...STATES], filter.state, (state) => t.states[state as State])}
${choice('template', t.template, t.all, [...new Set(templates)], filter.template, nameOf)}
<div class="field"><label for="errcode">${t.errcode}</label><input id="errcode" name="errcode" value="${filter.errcode}" inputmode="numeric" autocomplete="off" maxlength="9"${fault && html` aria-invalid="true"`}>${fault && html`<p class="fault" role="alert">${fault}</p>`}</div>
<button class="main">${t.filter}</button></form>`
}

const SAYS = 60

function columns(scribe: Scribe, titles: MessagesFacts['titles']) {
  const { texts, format } = scribe
  const t = texts.messages
  return [
    {
      title: t.message,
      whole: true,
      cell: ({ id, created_at }: SubmittedMessage) =>
        html`<a href="${messagesPath(scribe)}/${id}">${id}</a><small>${format.dateTime(Date.parse(created_at))}</small>`,
    },
    { title: t.state, cell: (message: SubmittedMessage) => stateCell(scribe, message) },
    {
      title: t.user,
      cell: ({ user_id }: SubmittedMessage) => html`<a href="${userPath(scribe)}/${user_id}">${user_id}</a>`,
    },
    {
      title: t.says,
      wide: true,
      cell: ({ data, template_id }: SubmittedMessage) =>
        html`${short(Object.values(data).join(' · '))}<small>${titles.get(template_id) ?? template_id}</small>`,
    },
    {
      title: t.attempts,
      numeric: true,
      cell: ({ attempts }: SubmittedMessage) => format.number(attempts.length),
    },
  ]
}

function stateCell(scribe: Scribe, message: SubmittedMessage): Html {
  const last = message.attempts.at(-1)?.answer
  const isBad = message.state !== 'delivered' && last
  return html`${stateBadge(scribe, message.state)}${isBad && html`<small>${last.errcode} ${last.name}</small>`}`
}

function short(text: string): string {
  return text.length <= SAYS ? text : `${text.slice(0, SAYS)}…`
}
