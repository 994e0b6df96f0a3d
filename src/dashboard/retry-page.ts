import type { RetryPreview } from '../reminders/preview-retry.js'
import type { RetryFilter } from '../reminders/retry-filter.js'
import type { RunError } from '../reminders/status.js'
import { ERRCODES } from '../wechat/errcodes.js'
import { codeOf, meaningOf } from './answers.js'
import { figures, linkButton, panel, table } from './components.js'
import { confirmPage } from './confirm.js'
import { type ErrorFacts, type ErrorFilter, errorsPath } from './errors-page.js'
import { type Html, html } from './html.js'
import type { Page, Reader } from './reader.js'

const CLASSES = new Map(ERRCODES.map((entry) => [entry.class as string, entry.class]))

/** The filter of the page as the retry knows it. What ended without a code of WeChat has no class there. */
export function toRetryFilter({ class: name, template }: ErrorFilter): RetryFilter {
  const known = name === 'unknown' ? 'unknown' : CLASSES.get(name)
  return {
    ...(known === undefined ? {} : { class: known }),
    ...(template === '' ? {} : { templateId: template }),
  }
}

/** The way to a retry of what is shown: of today only, since another day's reminders are over. */
export function retryPanel(reader: Reader, { filter, errors }: ErrorFacts, today: string): Html | undefined {
  const t = reader.texts.errors.retry
  const isToday = filter.date === '' || filter.date === today
  const failed = errors.some(
    (error) => error.date === today && error.outcome === 'failed' && error.errcode !== null,
  )
  if (!isToday || !failed) return undefined
  const query = new URLSearchParams({ class: filter.class, template: filter.template }).toString()
  return panel(
    t.title,
    html`<div class="buttons">${linkButton(`${errorsPath(reader)}/retry?${query}`, t.preview)}</div>`,
    {
      note: t.note,
    },
  )
}

/** What a retry would do, and whether it is meant. */
export function retryPage(reader: Reader, filter: ErrorFilter, preview: RetryPreview): Page {
  const { texts, format } = reader
  const t = texts.errors.retry
  const body = html`${figures([
    { label: t.failed, value: format.number(preview.failed), tone: 'bad' },
    { label: t.stopped, value: format.number(preview.stopped), note: t.stoppedNote },
    { label: t.atMost, value: format.number(preview.at_most), tone: 'info', note: t.atMostNote },
  ])}
${table<RunError>(
  texts.errors.title,
  [
    { title: texts.errors.code, cell: codeOf },
    { title: texts.errors.meaning, cell: (error) => meaningOf(texts, error) },
    { title: texts.errors.count, numeric: true, cell: ({ count }) => format.number(count) },
  ],
  preview.errors,
  texts.errors.empty,
)}
<input type="hidden" name="class" value="${filter.class}"><input type="hidden" name="template" value="${filter.template}">`
  return confirmPage(reader, {
    section: 'errors',
    title: t.question,
    lead: t.lead,
    body,
    button: t.button,
    action: `${errorsPath(reader)}/retry`,
    back: errorsPath(reader),
  })
}
