import type { FastifyInstance, FastifyRequest } from 'fastify'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { onRecord } from './actions.js'
import { confirmPage } from './confirm.js'
import type { DashboardDeps, Operators } from './deps.js'
import { html } from './html.js'
import { HOME } from './layout.js'
import { sendPage } from './page.js'
import type { Page, Reader } from './reader.js'
import type { OperatorSessions } from './session.js'
import { assertOurForm, fieldOf, operatorOf } from './visit.js'

const MAX_LIMIT = 1_000_000

/** Starting today's run: asked once, then done on record. */
export function runRoutes(
  app: FastifyInstance,
  { db, account, runs, now }: DashboardDeps & Operators,
  sessions: OperatorSessions,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  const { appId, timezone } = account

  app.get('/run', { schema: { hide: true } }, (request, reply) =>
    sendPage(reply, readerOf(request), askPage(readerOf(request))),
  )

  app.post('/run', { schema: { hide: true } }, async (request, reply) => {
    assertOurForm(sessions, request)
    const reader = readerOf(request)
    const limit = limitOf(fieldOf(request, 'limit'))
    if (limit === 'bad')
      return sendPage(reply.status(422), reader, askPage(reader, reader.texts.actions.run.badLimit))
    const { name: who } = operatorOf(request)
    const details = { date: toIsoDate(businessDate(now(), timezone)), limit: limit ?? null }
    await onRecord({ db, appId, now }, request, { action: 'run', who, details }, async () => {
      const begun = await runs.start(limit)
      return { note: begun, result: begun }
    })
    return reply.redirect(HOME, 303)
  })
}

function limitOf(text: string): number | undefined | 'bad' {
  if (text.trim() === '') return undefined
  const limit = /^\d{1,7}$/.test(text.trim()) ? Number(text) : 0
  return limit >= 1 && limit <= MAX_LIMIT ? limit : 'bad'
}

function askPage(reader: Reader, fault?: string): Page {
  const t = reader.texts.actions.run
  return confirmPage(reader, {
    section: 'today',
    title: t.title,
    lead: t.lead,
    button: t.button,
    action: `${HOME}/run`,
    body: html`<div class="field"><label for="limit">${t.limit}</label><input id="limit" name="limit" inputmode="numeric" aria-describedby="limit-hint"${fault && html` aria-invalid="true"`}><p class="hint" id="limit-hint">${t.limitHint}</p>${fault && html`<p class="fault" role="alert">${fault}</p>`}</div>`,
  })
}
