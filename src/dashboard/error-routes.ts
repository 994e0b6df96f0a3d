import type { FastifyInstance, FastifyRequest } from 'fastify'
import { parseIsoDate } from '../lib/business-date.js'
import { findRunStatus, listRuns } from '../reminders/status.js'
import type { DashboardDeps } from './deps.js'
import { type DatedError, type ErrorFacts, type ErrorFilter, errorsPage } from './errors-page.js'
import { sendPage } from './page.js'
import type { Reader } from './reader.js'

/** Two weeks: what an operator still acts on. */
const RUNS_SHOWN = 14

/** Errors by code, of a day or of the last runs. */
export function errorRoutes(
  app: FastifyInstance,
  { db, account, now }: DashboardDeps,
  readerOf: (request: FastifyRequest) => Reader,
): void {
  async function findErrors(filter: ErrorFilter): Promise<{ errors: DatedError[]; runs: number }> {
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
      ...(await findErrors(filter)),
      ...(isBad ? { fault: reader.texts.errors.anotherDay } : {}),
    }
    return sendPage(reply, reader, errorsPage(reader, facts, undefined))
  })
}

/** '' for what was not asked for. */
export function filterOf(query: unknown): ErrorFilter {
  const values = query as Record<string, unknown>
  const of = (name: string): string => {
    const value = values[name]
    return typeof value === 'string' && value.length <= 64 ? value : ''
  }
  return { date: of('date'), class: of('class'), template: of('template') }
}
