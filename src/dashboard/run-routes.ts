import type { FastifyInstance, FastifyRequest } from 'fastify'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { onRecord } from './actions.js'
import type { DashboardDeps, Operators } from './deps.js'
import { type Html, html } from './html.js'
import { formFields, HOME } from './layout.js'
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
  const t = reader.texts.actions
  return {
    title: t.run.title,
    section: 'today',
    body: html`<div class="head"><h1>${t.run.title}</h1></div>
<form method="post" action="${HOME}/run" class="panel form">${formFields(reader)}
<div class="prose"><p>${t.run.lead}</p></div>
<div class="field"><label for="limit">${t.run.limit}</label><input id="limit" name="limit" inputmode="numeric" aria-describedby="limit-hint"${fault && html` aria-invalid="true"`}><p class="hint" id="limit-hint">${t.run.limitHint}</p>${fault && html`<p class="fault" role="alert">${fault}</p>`}</div>
${confirmButtons(reader, t.run.button)}
</form>`,
  }
}

/** The end of every form that asks once. */
export function confirmButtons({ texts, operator }: Reader, words: string, back = HOME): Html {
  return html`<p class="hint">${texts.actions.recorded(operator?.name ?? '')}</p>
<div class="buttons"><button class="main">${words}</button><a class="button" href="${back}">${texts.frame.cancel}</a></div>`
}
