import type { RunError } from '../reminders/status.js'
import { codeOf, day, meaningOf, withCode } from './answers.js'
import { type Column, choice, pageHead, panel, table } from './components.js'
import { type Html, html, type Part } from './html.js'
import { messagesUrl } from './messages-page.js'
import type { Page, Reader, Scribe } from './reader.js'

export const errorsPath = ({ home }: Scribe): string => `${home}/errors`

/** Which errors are shown; '' = all. */
export interface ErrorFilter {
  date: string
  class: string
  template: string
}

/** An error of one day. */
export interface DatedError extends RunError {
  date: string
}

export interface ErrorFacts {
  filter: ErrorFilter
  /** All of the days looked at, before class and template are chosen. */
  errors: DatedError[]
  /** How many runs were looked at. */
  runs: number
  /** Backends submit messages here: each code leads to those that met it. */
  hasMessages: boolean
  fault?: string
}

/** `retry` is what can be done about those that are shown. */
export function errorsPage(reader: Reader, facts: ErrorFacts, retry: Part): Page {
  const { texts, format } = reader
  const t = texts.errors
  const { filter, errors, runs } = facts
  const shown = errors.filter(
    (error) =>
      (filter.class === '' || error.class === filter.class) &&
      (filter.template === '' || error.template_id === filter.template),
  )
  const title = filter.date === '' ? t.lastDays(format.number(runs)) : t.ofDay(day(format, filter.date))
  return {
    title: t.title,
    section: 'errors',
    body: html`${pageHead(t.title, t.lead)}
${filterForm(reader, facts)}
${panel(title, list(reader, shown, facts))}
${retry}`,
  }
}

function filterForm(reader: Reader, { filter, errors, fault }: ErrorFacts): Html {
  const t = reader.texts.errors
  const classes = [...new Set(errors.map((error) => error.class))].sort()
  const templates = [...new Set(errors.map(({ template_id }) => template_id))].filter(Boolean).sort()
  return html`<form method="get" action="${errorsPath(reader)}" class="panel form row">
<div class="field"><label for="date">${t.day}</label><input type="date" id="date" name="date" value="${filter.date}">${fault && html`<p class="fault" role="alert">${fault}</p>`}</div>
${choice('class', t.klass, t.all, classes, filter.class, (name) => t.classes[name] ?? name)}
${choice('template', t.template, t.all, templates, filter.template)}
<button class="main">${t.filter}</button></form>`
}

function list(scribe: Scribe, errors: DatedError[], { filter, hasMessages }: ErrorFacts): Html {
  const { texts, format } = scribe
  const t = texts.errors
  const columns: Column<DatedError>[] = [
    { title: t.code, cell: codeOf },
    { title: t.meaning, wide: true, cell: (error) => explanation(scribe, error, hasMessages) },
    { title: t.klass, cell: (error) => t.classes[error.class] ?? error.class },
    { title: t.outcome, cell: ({ outcome }) => t.outcomes[outcome] ?? outcome },
    { title: t.count, numeric: true, cell: ({ count }) => format.number(count) },
    {
      title: t.seen,
      cell: ({ last_seen_at }) => (last_seen_at === null ? '–' : format.dateTime(Date.parse(last_seen_at))),
    },
  ]
  const ofDay: Column<DatedError> = {
    title: t.day,
    cell: ({ date }) => html`<a href="${errorsPath(scribe)}?date=${date}">${day(format, date)}</a>`,
  }
  return table(t.title, filter.date === '' ? [ofDay, ...columns] : columns, errors, t.empty)
}

function explanation(scribe: Scribe, error: DatedError, hasMessages: boolean): Html {
  const { texts } = scribe
  const t = texts.errors
  const isChinese = texts.frame.language_tag === 'zh'
  return html`${meaningOf(texts, error)}<small>${t.whatToDo}${texts.frame.colon}${withCode(isChinese ? error.what_to_do_zh : error.what_to_do)}</small>${
    error.finding !== null &&
    html`<small><code>${error.finding}</code> ${withCode((isChinese ? error.fix_zh : error.fix) ?? '')}</small>`
  }${
    hasMessages &&
    error.errcode !== null &&
    html`<small><a href="${messagesUrl(scribe, { state: '', template: '', errcode: String(error.errcode) })}">${texts.messages.withCode}</a></small>`
  }${
    error.sample_rids.length > 0 &&
    html`<details><summary>${t.samples}</summary><small>${t.rids}${texts.frame.colon}${error.sample_rids.join(', ')}</small></details>`
  }`
}
