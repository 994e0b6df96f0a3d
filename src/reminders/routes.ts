import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { type AccountOf, AppId, AppIdQuery } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly, PageLimit } from '../http/schemas.js'
import { parseIsoDate } from '../lib/business-date.js'
import { findRunStatus, listRuns } from './status.js'
import { RunListSchema, RunStatusSchema } from './status-schemas.js'

const DEFAULT_LIMIT = 30

const Query = Type.Object(
  {
    limit: PageLimit(DEFAULT_LIMIT),
    before: Type.Optional(
      Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', description: '`next` of the page before' }),
    ),
    app_id: Type.Optional(AppId),
  },
  { additionalProperties: false },
)

const DayOfRun = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}$',
  description: 'Day as YYYY-MM-DD, in the zone of the account',
  examples: ['2026-11-20'],
})

/** GET /v1/runs, GET /v1/runs/{date} */
export function runRoutes(deps: {
  db: Knex
  accountOf: AccountOf
  callers: Callers
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, accountOf, now } = deps
  const onRequest = deps.callers.backend('read')
  const common = { tags: ['runs'], security: backendOnly('read') }
  const errors = errorsOf(...BACKEND_ERRORS, ...DATABASE_ERRORS)
  return async (app) => {
    app.get(
      '/v1/runs',
      {
        onRequest,
        schema: {
          ...common,
          operationId: 'listRuns',
          summary: 'How the daily runs went, newest first',
          description: 'Counts are true at the moment of the answer, also of a run that is under way.',
          querystring: Query,
          response: { 200: RunListSchema, ...errors },
        },
      },
      (request) => {
        const { limit, before } = request.query
        if (before !== undefined) readDate(before, 'before')
        const page = { limit: limit === undefined ? DEFAULT_LIMIT : Number(limit), before }
        return listRuns(db, accountOf(request), page)
      },
    )
    app.get(
      '/v1/runs/:date',
      {
        onRequest,
        schema: {
          ...common,
          operationId: 'getRun',
          summary: 'How the run of a day went, or is going',
          description:
            'True at any moment, whichever processes work on it. A day without a run is answered too, as `not_started`, with the reason.',
          params: Type.Object({ date: DayOfRun }),
          querystring: AppIdQuery,
          response: { 200: RunStatusSchema, ...errors },
        },
      },
      (request) => findRunStatus(db, accountOf(request), readDate(request.params.date, 'date'), now()),
    )
  }
}

function readDate(text: string, field: string): number {
  const date = parseIsoDate(text)
  if (date === undefined)
    throw new ServiceError('invalid_request', `${field}: ${text} is not a valid day`, { field })
  return date
}
