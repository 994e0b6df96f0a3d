import { reminderRenderer } from '../messages/text.js'
import { card } from './card.js'
import { linkButton, pageHead, panel } from './components.js'
import { type Html, html } from './html.js'
import type { Page, Reader } from './reader.js'
import { answerOf, type DayState, type Today } from './today.js'
import { liveParts } from './today-live.js'

/** The first page: did it go well, how does it go, what can be done. */
export function todayPage(reader: Reader, today: Today): Page {
  const { texts, format, account } = reader
  const t = texts.today
  const { state } = answerOf(reader, today)
  const parts = liveParts(reader, today)
  return {
    title: t.title,
    section: 'today',
    scripts: ['live.js'],
    refreshWithoutScripts: state === 'running' || state === 'waiting',
    body: html`${pageHead(format.day(today.date), t.zone(account.timezone))}
<div class="columns" data-live="${reader.home}/events"><div class="stack">
<div data-part="answer">${parts.answer}</div>
${actions(reader, today, state)}
<div class="stack" data-part="details">${parts.details}</div>
</div>${preview(reader, today)}</div>`,
  }
}

/** What can be done in which state. The script of the page shows and hides it as the state changes. */
const RUN: DayState[] = ['none', 'planned', 'late']
const AGAIN: DayState[] = ['done', 'halted', 'limited', 'missed', 'window_closed']

function actions(reader: Reader, { now, closesAt }: Today, state: DayState): Html {
  const { texts, format, account, home } = reader
  const t = texts.today
  const when = (states: DayState[], button: Html): Html =>
    html`<span data-when="${states.join(' ')}"${!states.includes(state) && html` hidden`}>${button}</span>`
  const isOpen = now < closesAt && account.templateId !== ''
  return html`<div class="panel"><div class="buttons">
${
  isOpen && [
    when(RUN, linkButton(`${home}/run`, t.run, 'main')),
    when(AGAIN, linkButton(`${home}/run`, t.runAgain, state === 'halted' ? 'main' : 'other')),
    when(['paused'], linkButton(`${home}/resume`, t.resume, 'main')),
    when(['running', 'waiting'], linkButton(`${home}/pause`, t.pause)),
  ]
}
${linkButton(`${home}/plan`, t.plan)}</div>
<p class="hint">${now < closesAt ? t.untilWindow(format.time(closesAt)) : t.afterWindow(format.time(closesAt))}</p></div>`
}

/** A streak to show the text with: a week is a streak that people know. Most users have none. */
const SAMPLE_STREAK = 7
const NO_STREAK = 0

function preview(reader: Reader, { date }: Today): Html {
  const { texts, format, account } = reader
  const t = texts.today
  if (account.templateId === '') return panel(t.cardTitle, html`<p class="empty">${t.cardOff}</p>`)
  const render = reminderRenderer(account.data, date)
  const [long, none] = [render(SAMPLE_STREAK), render(NO_STREAK)]
  const differs = JSON.stringify(long) !== JSON.stringify(none)
  return panel(
    t.cardTitle,
    html`${card(reader, long)}${differs && html`<p class="hint">${t.cardWithoutStreak}</p>${card(reader, none)}`}`,
    { note: t.cardOf(format.number(SAMPLE_STREAK)) },
  )
}
