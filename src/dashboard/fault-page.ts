import type { FastifyError, FastifyReply } from 'fastify'
import { toServiceError } from '../http/errors.js'
import type { Logger } from '../lib/logger.js'
import { callout, linkButton, pageHead } from './components.js'
import { html } from './html.js'
import { sendPage } from './page.js'
import type { Reader } from './reader.js'

/** Says what went wrong, as a page. Our own faults are logged, and hidden from the reader. */
export function sendFault(
  reply: FastifyReply,
  reader: Reader,
  error: FastifyError,
  log: Logger,
): FastifyReply {
  const known = toServiceError(error, reply.request.id)
  reply.request.refusal = known
  if (known.status >= 500)
    log.error(
      { event: 'http.failed', trace_id: reply.request.id, err: error, code: known.code },
      'a request failed',
    )
  if (known.retryAfterSeconds !== undefined) reply.header('Retry-After', known.retryAfterSeconds)
  const { frame } = reader.texts
  const faults = frame.faults as Record<string, string>
  return sendPage(reply.status(known.status), reader, {
    title: frame.wentWrong,
    body: html`${pageHead(frame.wentWrong)}
${callout(known.status >= 500 ? 'bad' : 'warn', faults[known.code] ?? frame.faults.internal, html`<p lang="en">${known.message}</p>`)}
<div class="buttons">${linkButton(reader.home, frame.backToToday)}</div>`,
  })
}
