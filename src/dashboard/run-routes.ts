import type { FastifyInstance, FastifyRequest } from 'fastify'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { pauseRun } from '../reminders/pause.js'
import { onRecord } from './actions.js'
import { confirmPage } from './confirm.js'
import type { DashboardDeps, Operators } from './deps.js'
import { type Html, html } from './html.js'
import { HOME } from './layout.js'
import { sendPage } from './page.js'
import type { Page, Reader } from './reader.js'
import type { OperatorSessions } from './session.js'
import { assertOurForm, fieldOf, operatorOf } from './visit.js'

const MAX_LIMIT = 1_000_000

type Verb = 'run' | 'resume' | 'pause'

/** Start, pause and resume of today's run: each asked once, then done on record. */
export function runRoutes(
  app: FastifyInstance,
  { db, account, runs, now }: DashboardDeps & Operators,
  sessions: OperatorSessions,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  const { appId, timezone } = account
  const today = () => businessDate(now(), timezone)

  async function start(limit: number | undefined): Promise<{ note: string; result: undefined }> {
    return { note: await runs.start(limit === undefined ? {} : { limit }), result: undefined }
  }

  async function pause(who: string): Promise<{ result: undefined }> {
    await pauseRun(db, account, today(), who, now())
    return { result: undefined }
  }

  for (const verb of ['run', 'resume', 'pause'] as const) {
    app.get(`/${verb}`, { schema: { hide: true } }, (request, reply) =>
      sendPage(reply, readerOf(request), askPage(readerOf(request), verb)),
    )

    app.post(`/${verb}`, { schema: { hide: true } }, async (request, reply) => {
      assertOurForm(sessions, request)
      const reader = readerOf(request)
      const limit = limitOf(fieldOf(request, 'limit'))
      if (limit === 'bad') {
        const fault = reader.texts.actions.run.badLimit
        return sendPage(reply.status(422), reader, askPage(reader, verb, fault))
      }
      const { name: who } = operatorOf(request)
      const details = { date: toIsoDate(today()), limit: limit ?? null }
      await onRecord({ db, appId, now }, request, { action: verb, who, details }, () =>
        verb === 'pause' ? pause(who) : start(limit),
      )
      return reply.redirect(HOME, 303)
    })
  }
}

function limitOf(text: string): number | undefined | 'bad' {
  if (text.trim() === '') return undefined
  const limit = /^\d{1,7}$/.test(text.trim()) ? Number(text) : 0
  return limit >= 1 && limit <= MAX_LIMIT ? limit : 'bad'
}

function askPage(reader: Reader, verb: Verb, fault?: string): Page {
  const { title, lead, button } = reader.texts.actions[verb]
  return confirmPage(reader, {
    section: 'today',
    title,
    lead,
    button,
    action: `${HOME}/${verb}`,
    body: verb === 'pause' ? undefined : limitField(reader, fault),
  })
}

function limitField({ texts }: Reader, fault: string | undefined): Html {
  const t = texts.actions.run
  return html`<div class="field"><label for="limit">${t.limit}</label><input id="limit" name="limit" inputmode="numeric" aria-describedby="limit-hint"${fault && html` aria-invalid="true"`}><p class="hint" id="limit-hint">${t.limitHint}</p>${fault && html`<p class="fault" role="alert">${fault}</p>`}</div>`
}
