import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.js'
import { withDeadline } from '../lib/deadline.js'
import { HOUR_MS } from '../lib/durations.js'
import { previewRequeue } from '../submitted/preview-requeue.js'
import { type Requeued, requeueMany, stayingOf } from '../submitted/requeue-many.js'
import { onRecord } from './actions.js'
import type { DashboardDeps } from './deps.js'
import { errcodeOf, filterOf, readHours } from './message-fields.js'
import type { MessageFilter } from './messages-page.js'
import { messagesUrl } from './messages-page.js'
import { sendPage } from './page.js'
import type { Reader } from './reader.js'
import { requeueAllPage } from './requeue-page.js'
import type { OperatorSessions } from './session.js'
import { assertOurForm, fieldOf, operatorOf } from './visit.js'

/** A few are queued again by then, and the page that follows says what came of it. */
const WAIT_MS = 500

/** Queueing dead letters again, all or those that a filter means: previewed, then done in the background, on record. */
export function requeueRoutes(
  app: FastifyInstance,
  { db, operatorsOf, now }: DashboardDeps,
  sessions: OperatorSessions,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  app.get('/messages/requeue', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const filter = filterOf(request.query)
    const preview = await previewRequeue(db, reader.account.appId, meantBy(filter), now())
    return sendPage(reply, reader, requeueAllPage(reader, filter, preview))
  })

  app.post('/messages/requeue', { schema: { hide: true } }, async (request, reply) => {
    assertOurForm(sessions, request)
    const reader = readerOf(request)
    const { account } = reader
    const { appId } = account
    const { requeues, onQueued } = operatorsOf(appId)
    const filter = filterOf(request.body)
    const meant = meantBy(filter)
    const hours = readHours(fieldOf(request, 'hours'))
    if (hours === 'bad') {
      const preview = await previewRequeue(db, appId, meant, now())
      const { badHours } = reader.texts.messages.requeue
      return sendPage(reply.status(422), reader, requeueAllPage(reader, filter, preview, badHours))
    }
    const { name: who } = operatorOf(request)
    const details = { template: filter.template, errcode: meant.errcode ?? null, hours: hours ?? null }
    const notAfter = hours === undefined ? undefined : now() + hours * HOUR_MS
    const begun = requeues.begin((signal) =>
      onRecord({ db, appId, now }, request, { action: 'requeue_all', who, details }, async () => {
        const result = await requeueMany(db, account, { all: true, ...meant }, { notAfter, signal, now })
        onQueued()
        return { note: noteOf(result, signal.aborted), result }
      }),
    )
    if (begun === 'busy') throw new ServiceError('conflict', reader.texts.messages.requeueAll.busy)
    await withDeadline(begun.end, WAIT_MS).catch((error: unknown) => {
      if (!requeues.isBusy()) throw error
    })
    return reply.redirect(messagesUrl(reader, { ...filter, state: 'dead' }), 303)
  })
}

/** Throws `invalid_request` for a code that is none: nothing else than what was meant may be queued again. */
function meantBy(filter: MessageFilter): { templateId?: string; errcode?: number } {
  const errcode = errcodeOf(filter)
  if (errcode === 'bad')
    throw new ServiceError('invalid_request', 'errcode: must be a whole number', { field: 'errcode' })
  return {
    ...(filter.template === '' ? {} : { templateId: filter.template }),
    ...(errcode === undefined ? {} : { errcode }),
  }
}

/** For the log of actions: how many, and why not the others. */
function noteOf(requeued: Requeued, isCutShort: boolean): string {
  const { messages, why } = stayingOf(requeued)
  const stay = messages === 0 ? '' : `, ${messages} stay as they are (${why})`
  return `${requeued.counts.queued} queued again${stay}${isCutShort ? '; cut short by the stop of the process' : ''}`
}
