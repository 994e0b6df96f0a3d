import type { FastifyInstance, FastifyRequest } from 'fastify'
import { findTold } from '../callbacks/told.js'
import { ServiceError } from '../errors.js'
import { HOUR_MS } from '../lib/durations.js'
import { keptTemplates } from '../platform/templates.js'
import { cancelMessage } from '../submitted/cancel.js'
import { countStates } from '../submitted/count-store.js'
import { requeueMessage } from '../submitted/requeue.js'
import { findMessage, listMessages } from '../submitted/status.js'
import { listDeliveries } from '../webhooks/log.js'
import { findActions } from './action-store.js'
import { onRecord } from './actions.js'
import { confirmPage } from './confirm.js'
import type { DashboardDeps } from './deps.js'
import { errcodeOf, filterOf, isId, readHours } from './message-fields.js'
import { messagePage } from './message-page.js'
import { messagesPath } from './message-words.js'
import { KINDS, messagesPage } from './messages-page.js'
import { sendPage } from './page.js'
import type { Reader } from './reader.js'
import { deadPanel, requeuePage } from './requeue-page.js'
import type { OperatorSessions } from './session.js'
import { assertOurForm, fieldOf, operatorOf } from './visit.js'

const SHOWN = 30
/** Among so many of the newest actions, the last requeue of all is told for so long. */
const ACTIONS = 20
const TOLD_MS = HOUR_MS
/** While dead letters are queued again, the list shows how far it is. */
const REFRESH_SECONDS = 3

/** The messages that backends submitted, and what can be done about one. */
export function messageRoutes(
  app: FastifyInstance,
  { db, operatorsOf, now }: DashboardDeps,
  sessions: OperatorSessions,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  const titlesOf = async ({ account }: Reader): Promise<ReadonlyMap<string, string>> => {
    const { templates = [] } = await keptTemplates(db, account)
    return new Map(templates.map(({ id, title }) => [id, title]))
  }
  const lastRequeueOf = async ({ account: { appId } }: Reader) => {
    const actions = await findActions(db, appId, ACTIONS)
    return actions.find(({ action, at }) => action === 'requeue_all' && now() - at < TOLD_MS)
  }
  const idOf = (request: FastifyRequest): number => {
    const { id } = request.params as { id: string }
    if (isId(id)) return Number(id)
    throw new ServiceError('not_found', 'There is no such message')
  }

  app.get('/messages', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const { appId } = reader.account
    const filter = filterOf(request.query)
    const errcode = errcodeOf(filter)
    const { before } = request.query as Record<string, unknown>
    const [list, counts, titles, last] = await Promise.all([
      listMessages(db, appId, {
        state: filter.state === '' ? undefined : filter.state,
        templateId: filter.template || undefined,
        errcode: errcode === 'bad' ? undefined : errcode,
        limit: SHOWN,
        before: isId(before) ? Number(before) : undefined,
      }),
      countStates(db, appId, KINDS),
      titlesOf(reader),
      lastRequeueOf(reader),
    ])
    const hasDead = counts.some(({ state, messages }) => state === 'dead' && messages > 0)
    const fault = errcode === 'bad' ? { fault: reader.texts.messages.badErrcode } : {}
    const facts = { filter, list, isLater: isId(before), counts, titles, ...fault }
    const page = messagesPage(reader, facts, deadPanel(reader, filter, { hasDead, last }))
    const isUnderWay = operatorsOf(appId).requeues.isBusy()
    return sendPage(reply, reader, { ...page, ...(isUnderWay ? { refreshSeconds: REFRESH_SECONDS } : {}) })
  })

  app.get('/messages/:id', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const { appId } = reader.account
    const id = idOf(request)
    const [message, events, { items: deliveries }, titles] = await Promise.all([
      findMessage(db, appId, id),
      findTold(db, appId, id),
      listDeliveries(db, appId, { messageId: id, limit: SHOWN }),
      titlesOf(reader),
    ])
    const title = titles.get(message.template_id)
    return sendPage(reply, reader, messagePage(reader, { message, events, deliveries, title }))
  })

  app.get('/messages/:id/cancel', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const { id } = await findMessage(db, reader.account.appId, idOf(request))
    const path = `${messagesPath(reader)}/${id}`
    const t = reader.texts.messages.cancel
    return sendPage(
      reply,
      reader,
      confirmPage(reader, {
        section: 'messages',
        title: t.title(String(id)),
        lead: t.lead,
        button: t.button,
        action: `${path}/cancel`,
        back: path,
      }),
    )
  })

  app.post('/messages/:id/cancel', { schema: { hide: true } }, async (request, reply) => {
    assertOurForm(sessions, request)
    const reader = readerOf(request)
    const { appId } = reader.account
    const id = idOf(request)
    const act = {
      action: 'cancel_message',
      who: operatorOf(request).name,
      details: { message_id: id },
    } as const
    await onRecord({ db, appId, now }, request, act, async () => ({
      result: await cancelMessage(db, appId, id, now(), 'an operator'),
    }))
    return reply.redirect(`${messagesPath(reader)}/${id}`, 303)
  })

  app.get('/messages/:id/requeue', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const message = await findMessage(db, reader.account.appId, idOf(request))
    const isLate = Date.parse(message.not_after_at) <= now()
    return sendPage(reply, reader, requeuePage(reader, message, { isLate }))
  })

  app.post('/messages/:id/requeue', { schema: { hide: true } }, async (request, reply) => {
    assertOurForm(sessions, request)
    const reader = readerOf(request)
    const { account } = reader
    const { appId } = account
    const message = await findMessage(db, appId, idOf(request))
    const { id } = message
    const isLate = Date.parse(message.not_after_at) <= now()
    const hours = readHours(fieldOf(request, 'hours'))
    if (hours === 'bad' || (hours === undefined && isLate)) {
      const { badHours, needsHours } = reader.texts.messages.requeue
      const fault = hours === 'bad' ? badHours : needsHours
      return sendPage(reply.status(422), reader, requeuePage(reader, message, { isLate, fault }))
    }
    const details = { message_id: id, hours: hours ?? null }
    const act = { action: 'requeue_message', who: operatorOf(request).name, details } as const
    await onRecord({ db, appId, now }, request, act, async () => {
      const notAfter = hours === undefined ? undefined : now() + hours * HOUR_MS
      await requeueMessage(db, account, { id, notAfter }, now())
      return { result: undefined }
    })
    operatorsOf(appId).onQueued()
    return reply.redirect(`${messagesPath(reader)}/${id}`, 303)
  })
}
