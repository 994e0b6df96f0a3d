import { MOST_COUNTED } from '../submitted/count-store.js'
import type { RequeuePreview } from '../submitted/preview-requeue.js'
import type { SubmittedMessage } from '../submitted/status-schemas.js'
import type { ActionRow } from './action-store.js'
import { codeOf, meaningOf } from './answers.js'
import { callout, facts, figures, linkButton, pageHead, panel, table } from './components.js'
import { confirmPage } from './confirm.js'
import { type Html, html } from './html.js'
import { messagesPath } from './message-words.js'
import { type MessageFilter, messagesUrl } from './messages-page.js'
import type { Page, Reader } from './reader.js'

/** Whether a dead letter is meant to be queued again. `fault`: what is wrong with the hours. */
export function requeuePage(
  reader: Reader,
  message: SubmittedMessage,
  { isLate, fault }: { isLate: boolean; fault?: string | undefined },
): Page {
  const { texts, format } = reader
  const t = texts.messages.requeue
  const id = String(message.id)
  const path = `${messagesPath(reader)}/${id}`
  return confirmPage(reader, {
    section: 'messages',
    title: t.title(id),
    lead: t.lead,
    body: html`${isLate && facts([[t.hoursLate, format.dateTime(Date.parse(message.not_after_at))]])}${hoursField(reader, fault)}`,
    button: t.button,
    action: `${path}/requeue`,
    back: path,
  })
}

function hoursField({ texts }: Reader, fault: string | undefined): Html {
  const t = texts.messages.requeue
  return html`<div class="field"><label for="hours">${t.hours}</label><input id="hours" name="hours" inputmode="numeric" autocomplete="off" maxlength="3" aria-describedby="hours-hint"${fault && html` aria-invalid="true"`}><p class="hint" id="hours-hint">${t.hoursHint}</p>${fault && html`<p class="fault" role="alert">${fault}</p>`}</div>`
}

/** The way to queue dead letters again, and how far the last time has come. */
export function deadPanel(
  reader: Reader,
  filter: MessageFilter,
  { hasDead, last }: { hasDead: boolean; last: ActionRow | undefined },
): Html | undefined {
  const t = reader.texts.messages.requeueAll
  if (filter.state !== '' && filter.state !== 'dead') return undefined
  if (!hasDead && !last) return undefined
  const url = messagesUrl(reader, { ...filter, state: '' }).replace(messagesPath(reader), '')
  return panel(
    t.title,
    html`${last && lastTime(reader, last)}${hasDead && html`<div class="buttons">${linkButton(`${messagesPath(reader)}/requeue${url}`, t.preview)}</div>`}`,
    { note: t.note },
  )
}

function lastTime({ texts, format }: Reader, { who, at, outcome, note }: ActionRow): Html {
  const t = texts.messages.requeueAll
  const time = format.dateTime(at)
  if (outcome === 'started') return callout('info', t.underWay(who, time), html`<p>${t.wait}</p>`)
  const [tone, title] = outcome === 'done' ? (['good', t.done] as const) : (['bad', t.failed] as const)
  return callout(tone, title(who, time), note !== null && html`<p lang="en">${note}</p>`)
}

/** What queueing dead letters again would take up, and whether it is meant. */
export function requeueAllPage(
  reader: Reader,
  filter: MessageFilter,
  preview: RequeuePreview,
  fault?: string,
): Page {
  const { texts, format } = reader
  const t = texts.messages.requeueAll
  const back = messagesUrl(reader, { ...filter, state: 'dead' })
  if (preview.dead === 0 && preview.all_counted)
    return {
      title: t.title,
      section: 'messages',
      body: html`${pageHead(t.title)}<section class="panel"><p class="empty">${t.none}</p><div class="buttons">${linkButton(back, texts.messages.newest)}</div></section>`,
    }
  const most = format.number(MOST_COUNTED)
  const body = html`${figures([
    {
      label: t.dead,
      value: format.number(preview.dead),
      tone: 'bad',
      note: !preview.all_counted && t.deadNote(most),
    },
    { label: t.late, value: format.number(preview.late), tone: 'warn', note: t.lateNote },
    { label: t.atMost, value: format.number(preview.dead), tone: 'info', note: t.atMostNote },
  ])}
${table<RequeuePreview['errors'][number]>(
  texts.errors.title,
  [
    { title: texts.errors.code, cell: codeOf },
    { title: texts.errors.meaning, wide: true, cell: (error) => meaningOf(texts, error) },
    { title: texts.errors.count, numeric: true, cell: ({ count }) => format.number(count) },
  ],
  preview.errors,
  t.none,
)}
${hoursField(reader, fault)}
<input type="hidden" name="template" value="${filter.template}"><input type="hidden" name="errcode" value="${filter.errcode}">`
  return confirmPage(reader, {
    section: 'messages',
    title: t.question,
    lead: t.lead,
    body,
    button: t.button,
    action: `${messagesPath(reader)}/requeue`,
    back,
  })
}
