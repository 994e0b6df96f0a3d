import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Account } from '../account.js'
import { businessDate, toIsoDate } from '../lib/business-date.js'
import { pauseRun } from '../reminders/pause.js'
import { onRecord } from './actions.js'
import { confirmPage } from './confirm.js'
import type { DashboardDeps } from './deps.js'
import { type Html, html } from './html.js'
import { sendPage } from './page.js'
import type { Page, Reader } from './reader.js'
import type { OperatorSessions } from './session.js'
import { assertOurForm, fieldOf, operatorOf } from './visit.js'

const MAX_LIMIT = 1_000_000

type Verb = 'run' | 'resume' | 'pause'

/** Start, pause and resume of today's run: each asked once, then done on record. */
export function runRoutes(
  app: FastifyInstance,
  { db, operatorsOf, now }: DashboardDeps,
  sessions: OperatorSessions,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  const todayOf = ({ timezone }: Account) => businessDate(now(), timezone)

  async function start(
    { appId }: Account,
    limit: number | undefined,
  ): Promise<{ note: string; result: undefined }> {
    return {
      note: await operatorsOf(appId).runs.start(limit === undefined ? {} : { limit }),
      result: undefined,
    }
  }

  async function pause(account: Account, who: string): Promise<{ result: undefined }> {
    await pauseRun(db, account, todayOf(account), who, now())
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
      const { account, home } = reader
      const { appId } = account
      const details = { date: toIsoDate(todayOf(account)), limit: limit ?? null }
      await onRecord({ db, appId, now }, request, { action: verb, who, details }, () =>
        verb === 'pause' ? pause(account, who) : start(account, limit),
      )
      return reply.redirect(home, 303)
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
    action: `${reader.home}/${verb}`,
    body: verb === 'pause' ? undefined : limitField(reader, fault),
  })
}

function limitField({ texts }: Reader, fault: string | undefined): Html {
  const t = texts.actions.run
  return html`<div class="field"><label for="limit">${t.limit}</label><input id="limit" name="limit" inputmode="numeric" aria-describedby="limit-hint"${fault && html` aria-invalid="true"`}><p class="hint" id="limit-hint">${t.limitHint}</p>${fault && html`<p class="fault" role="alert">${fault}</p>`}</div>`
}
