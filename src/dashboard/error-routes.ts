import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { businessDate, parseIsoDate, toIsoDate } from '../lib/business-date.js'
import { previewRetry } from '../reminders/preview-retry.js'
import { findRunStatus, listRuns } from '../reminders/status.js'
import { hasSubmitted } from '../submitted/count-store.js'
import { onRecord } from './actions.js'
import type { DashboardDeps } from './deps.js'
import { type DatedError, type ErrorFacts, type ErrorFilter, errorsPage } from './errors-page.js'
import { sendPage } from './page.js'
import type { Reader } from './reader.js'
import { retryPage, retryPanel, toRetryFilter } from './retry-page.js'
import type { OperatorSessions } from './session.js'
import { assertOurForm, operatorOf } from './visit.js'

/** Two weeks: what an operator still acts on. */
const RUNS_SHOWN = 14

/** Errors by code, of a day or of the last runs. */
export function errorRoutes(
  app: FastifyInstance,
  { db, operatorsOf, now }: DashboardDeps,
  sessions: OperatorSessions,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  const todayOf = ({ timezone }: Account) => businessDate(now(), timezone)

  async function findErrors(
    account: Account,
    filter: ErrorFilter,
  ): Promise<{ errors: DatedError[]; runs: number }> {
    const dated = ({ date, errors }: { date: string; errors: Omit<DatedError, 'date'>[] }) =>
      errors.map((error) => ({ ...error, date }))
    const date = parseIsoDate(filter.date)
    if (date !== undefined) return { errors: dated(await findRunStatus(db, account, date, now())), runs: 1 }
    const { runs } = await listRuns(db, account, { limit: RUNS_SHOWN })
    return { errors: runs.flatMap(dated), runs: runs.length }
  }

  app.get('/errors', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const asked = filterOf(request.query)
    const isBad = asked.date !== '' && parseIsoDate(asked.date) === undefined
    const filter = isBad ? { ...asked, date: '' } : asked
    const facts: ErrorFacts = {
      filter,
      ...(await findErrors(reader.account, filter)),
      hasMessages: await hasSubmitted(db, reader.account.appId),
      ...(isBad ? { fault: reader.texts.errors.anotherDay } : {}),
    }
    return sendPage(
      reply,
      reader,
      errorsPage(reader, facts, retryPanel(reader, facts, toIsoDate(todayOf(reader.account)))),
    )
  })

  app.get('/errors/retry', { schema: { hide: true } }, async (request, reply) => {
    const reader = readerOf(request)
    const filter = filterOf(request.query)
    const preview = await previewRetry(db, reader.account, toRetryFilter(filter), now())
    return sendPage(reply, reader, retryPage(reader, filter, preview))
  })

  app.post('/errors/retry', { schema: { hide: true } }, async (request, reply) => {
    assertOurForm(sessions, request)
    const { account, home } = readerOf(request)
    const { appId } = account
    const filter = filterOf(request.body)
    const retry = { ...toRetryFilter(filter), date: todayOf(account) }
    const { name: who } = operatorOf(request)
    const details = { date: toIsoDate(retry.date), class: filter.class, template: filter.template }
    await onRecord({ db, appId, now }, request, { action: 'retry', who, details }, async () => {
      const begun = await operatorsOf(appId).runs.start({ retry })
      if (begun === 'busy')
        throw new ServiceError('conflict', 'A run is under way here: retry when it has ended')
      return { note: begun, result: begun }
    })
    return reply.redirect(home, 303)
  })
}

/** '' for what was not asked for. */
function filterOf(query: unknown): ErrorFilter {
  const values = query as Record<string, unknown>
  const of = (name: string): string => {
    const value = values[name]
    return typeof value === 'string' && value.length <= 64 ? value : ''
  }
  return { date: of('date'), class: of('class'), template: of('template') }
}
