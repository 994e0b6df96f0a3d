import type { ToldEvent } from '../callbacks/told.js'
import type { SubmittedAttempt, SubmittedMessage } from '../submitted/status-schemas.js'
import type { Delivery } from '../webhooks/log-schemas.js'
import { submittedCard } from './card.js'
import { badge, facts, linkButton, pageHead, panel, type Tone, table } from './components.js'
import { type Html, html, type Part } from './html.js'
import { answerOf, messagesPath, sentenceOf, stateBadge } from './message-words.js'
import type { Page, Reader, Scribe } from './reader.js'
import { userPath } from './user-page.js'

export interface MessageFacts {
  message: SubmittedMessage
  events: ToldEvent[]
  /** What its backend was told. */
  deliveries: Delivery[]
  /** Of its template, as far as WeChat has listed it. */
  title: string | undefined
}

/** All about one submitted message. */
export function messagePage(reader: Reader, { message, events, deliveries, title }: MessageFacts): Page {
  const { texts, format } = reader
  const t = texts.messages
  const { user_id, submitted_by, created_at } = message
  const by = t.submittedBy(submitted_by, format.dateTime(Date.parse(created_at)))
  return {
    title: t.name(String(message.id)),
    section: 'messages',
    body: html`${pageHead(t.name(String(message.id)), html`<a href="${userPath(reader)}/${user_id}">${texts.user.name(String(user_id))}</a>${texts.frame.comma}${by}`)}
<div class="columns"><div class="stack">
${panel(t.stands, html`<p>${stateBadge(reader, message.state)}</p><p class="sentence">${sentenceOf(reader, message)}</p>${actions(reader, message)}${standing(reader, message)}`, { kind: 'why' })}
${panel(t.tries, attempts(reader, message.attempts), { note: t.triesNote })}
${panel(t.events, eventsOf(reader, events), { note: t.eventsNote })}
${(reader.account.webhook || deliveries.length > 0) && panel(t.webhook, webhook(reader, deliveries), { note: t.webhookNote })}
</div>${panel(t.card, submittedCard(reader, message, title), { note: title === undefined ? undefined : html`<code>${message.template_id}</code>` })}</div>`,
  }
}

/** What can still be done about it. */
function actions(reader: Reader, { id, state, maybe_sent }: SubmittedMessage): Html | undefined {
  const t = reader.texts.messages
  const path = `${messagesPath(reader)}/${id}`
  if (state === 'dead')
    return html`<div class="buttons">${linkButton(`${path}/requeue`, t.requeue.open, 'main')}</div>`
  const waits = state === 'queued' || state === 'retry'
  return waits && !maybe_sent
    ? html`<div class="buttons">${linkButton(`${path}/cancel`, t.cancel.open)}</div>`
    : undefined
}

function standing(scribe: Scribe, message: SubmittedMessage): Html {
  const { texts, format } = scribe
  const t = texts.messages
  const at = (time: string | null): string | null =>
    time === null ? null : format.dateTime(Date.parse(time))
  const list: [Part, Part][] = [
    [t.permit, permit(scribe, message)],
    [t.delivery, delivery(scribe, message)],
    [t.notBefore, at(message.not_before_at)],
    [t.notAfter, at(message.not_after_at)],
    [t.nextAttempt, at(message.next_attempt_at)],
    [t.settled, at(message.settled_at)],
    [t.requeues, message.requeues === 0 ? null : t.times(format.number(message.requeues))],
    [t.msgid, message.msgid],
    [t.trace, html`<code>${message.trace_id}</code>`],
  ]
  return facts(list.filter(([, value]) => value !== null))
}

function permit({ texts }: Scribe, { channel, permit_id, state }: SubmittedMessage): string {
  const t = texts.messages.permits
  if (channel === 'official') return t.notNeeded
  if (state === 'no_permit' || permit_id === null) return t.none
  if (state === 'queued' || state === 'sending' || state === 'retry') return t.held(String(permit_id))
  const isSpent = state === 'delivered' || state === 'failed' || state === 'unknown'
  return isSpent ? t.spent(String(permit_id)) : t.back
}

function delivery({ texts }: Scribe, { channel, delivery_status: status }: SubmittedMessage): Part {
  const t = texts.messages
  if (channel === 'form_id') return t.deliveryNever
  if (status === null) return t.deliveryNone
  return badge(status === 'success' ? 'good' : 'warn', status)
}

function attempts(scribe: Scribe, rows: SubmittedAttempt[]): Html {
  const { texts, format } = scribe
  const t = texts.messages
  return table(
    t.tries,
    [
      { title: t.when, whole: true, cell: ({ at }) => format.moment(Date.parse(at)) },
      {
        title: t.outcome,
        cell: ({ outcome }) =>
          badge(outcome === 'accepted' ? 'good' : 'warn', t.outcomes[outcome] ?? outcome),
      },
      {
        title: t.answer,
        wide: true,
        cell: (attempt) => (attempt.outcome === 'accepted' ? '–' : answerOf(scribe, attempt)),
      },
      {
        title: t.permit,
        cell: ({ permit_id, rid }) =>
          html`${permit_id ?? '–'}${rid !== null && html`<small>rid ${rid}</small>`}`,
      },
    ],
    rows,
    t.noTries,
  )
}

function eventsOf({ texts, format }: Scribe, rows: ToldEvent[]): Html {
  const t = texts.messages
  return table(
    t.events,
    [
      { title: t.when, whole: true, cell: ({ at }) => format.moment(Date.parse(at)) },
      { title: t.event, cell: ({ event }) => html`<code>${event}</code>` },
      { title: t.told, cell: ({ status }) => status ?? '–' },
      { title: t.outcomeHere, cell: ({ outcome }) => outcome ?? t.waits },
    ],
    rows,
    t.noEvents,
  )
}

const WEBHOOK_TONES: Record<Delivery['state'], Tone> = { waiting: 'info', delivered: 'good', failed: 'bad' }

function webhook({ texts, format }: Scribe, rows: Delivery[]): Html {
  const t = texts.messages
  return table(
    t.webhook,
    [
      { title: t.when, whole: true, cell: ({ created_at }) => format.moment(Date.parse(created_at)) },
      { title: t.told, cell: ({ type }) => html`<code>${type}</code>` },
      {
        title: t.outcome,
        cell: ({ state, next_attempt_at }) =>
          html`${badge(WEBHOOK_TONES[state], t.webhookStates[state])}${next_attempt_at !== null && html`<small>${t.webhookNext(format.dateTime(Date.parse(next_attempt_at)))}</small>`}`,
      },
      { title: t.attempts, numeric: true, cell: ({ attempts }) => format.number(attempts) },
      {
        title: t.webhookAnswer,
        cell: ({ http_status, error }) => (http_status === null ? (error ?? '–') : `HTTP ${http_status}`),
      },
    ],
    rows,
    t.noWebhook,
  )
}
