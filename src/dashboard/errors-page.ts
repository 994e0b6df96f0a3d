import type { RunError } from '../reminders/status.js'
import { codeOf, day, meaningOf, withCode } from './answers.js'
import { type Column, pageHead, panel, table } from './components.js'
import { type Html, html, type Part } from './html.js'
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
${panel(title, list(reader, shown, filter.date === ''))}
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
${choice('template', t.template, t.all, templates, filter.template, (name) => name)}
<button class="main">${t.filter}</button></form>`
}

function choice(
  id: string,
  label: string,
  all: string,
  values: string[],
  chosen: string,
  nameOf: (value: string) => string,
): Html {
  const known = chosen === '' || values.includes(chosen) ? values : [...values, chosen]
  return html`<div class="field"><label for="${id}">${label}</label><select id="${id}" name="${id}"><option value="">${all}</option>${known.map(
    (value) => html`<option value="${value}"${value === chosen && html` selected`}>${nameOf(value)}</option>`,
  )}</select></div>`
}

function list(scribe: Scribe, errors: DatedError[], hasDays: boolean): Html {
  const { texts, format } = scribe
  const t = texts.errors
  const columns: Column<DatedError>[] = [
    { title: t.code, cell: codeOf },
    { title: t.meaning, wide: true, cell: (error) => explanation(scribe, error) },
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
  return table(t.title, hasDays ? [ofDay, ...columns] : columns, errors, t.empty)
}

function explanation({ texts }: Scribe, error: DatedError): Html {
  const t = texts.errors
  const isChinese = texts.frame.language_tag === 'zh'
  return html`${meaningOf(texts, error)}<small>${t.whatToDo}${texts.frame.colon}${withCode(isChinese ? error.what_to_do_zh : error.what_to_do)}</small>${
    error.finding !== null &&
    html`<small><code>${error.finding}</code> ${withCode((isChinese ? error.fix_zh : error.fix) ?? '')}</small>`
  }${
    error.sample_rids.length > 0 &&
    html`<details><summary>${t.samples}</summary><small>${t.rids}${texts.frame.colon}${error.sample_rids.join(', ')}</small></details>`
  }`
}
