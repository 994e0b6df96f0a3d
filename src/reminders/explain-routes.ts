import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { type AccountOf, AppId } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly, EXAMPLE, IsoDate, UserId, UserIdParams } from '../http/schemas.js'
import { businessDate, parseIsoDate } from '../lib/business-date.js'
import { readUserId } from '../users/persons.js'
import { explainUser } from './explain.js'
import { CHECKS } from './explain-checks.js'
import { OUTCOMES } from './explain-verdict.js'

const EXPLANATION_EXAMPLE = {
  user_id: EXAMPLE.user.user_id,
  date: EXAMPLE.date,
  outcome: 'signed_in',
  sentence: 'The user will not be reminded on 2026-11-21: the user signed in at 2026-11-21 12:00:00.',
  sentence_zh: '用户在 2026-11-21 不会收到提醒：用户已于 2026-11-21 12:00:00 签到。',
  checks: [
    { name: 'known', ok: true, detail: 'on record', detail_zh: '有记录' },
    {
      name: 'not_reminded',
      ok: true,
      detail: 'last_date 2026-11-20',
      detail_zh: 'last_date 为 2026-11-20',
    },
    {
      name: 'not_signed_in',
      ok: false,
      detail: 'at 2026-11-21 12:00:00',
      detail_zh: '2026-11-21 12:00:00 签到',
    },
  ],
}

const Query = Type.Object(
  { date: Type.Optional(IsoDate), app_id: Type.Optional(AppId) },
  { additionalProperties: false },
)

const ExplanationAnswer = Type.Object(
  {
    user_id: UserId,
    date: IsoDate,
    outcome: Type.Enum([...OUTCOMES], {
      description: 'What became, or will become, of the reminder of that day',
    }),
    sentence: Type.String({ description: 'The same in words, with the values that decided' }),
    sentence_zh: Type.String({ description: 'The sentence in Chinese' }),
    checks: Type.Array(
      Type.Object({
        name: Type.Enum([...CHECKS]),
        ok: Type.Boolean(),
        detail: Type.String(),
        detail_zh: Type.String(),
      }),
      {
        description: 'In the order in which they decide; the outcome is that of the first one that is not ok',
      },
    ),
  },
  {
    description: 'What became of the reminder of that day, or will become of it',
    examples: [EXPLANATION_EXAMPLE],
  },
)

/** GET /v1/users/{user_id}/explain */
export function explainRoutes(deps: {
  db: Knex
  accountOf: AccountOf
  retentionDays: number
  callers: Callers
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, accountOf, retentionDays } = deps

  function dayOf({ timezone }: Account, text: string | undefined, now: number): number {
    if (text === undefined) return businessDate(now, timezone)
    const date = parseIsoDate(text)
    if (date !== undefined) return date
    throw new ServiceError('invalid_request', `date: ${text} is not a valid day`, { field: 'date' })
  }

  return async (app) => {
    app.get(
      '/v1/users/:user_id/explain',
      {
        onRequest: deps.callers.backend('read'),
        schema: {
          operationId: 'explainUser',
          summary: 'Why a user was, was not, will or will not be reminded on a day',
          description:
            'Of a past day from what was on record then, of today and later days from live data, if nothing happens until then. Changes nothing. A user whom nobody has seen is an answer too: outcome not_known.',
          tags: ['users'],
          security: backendOnly('read'),
          params: UserIdParams,
          querystring: Query,
          response: {
            200: ExplanationAnswer,
            ...errorsOf(...BACKEND_ERRORS, ...DATABASE_ERRORS),
          },
        },
      },
      async (request) => {
        const now = deps.now()
        const account = { ...accountOf(request), retentionDays }
        const userId = readUserId(request.params.user_id, 'user_id')
        return explainUser(db, account, userId, dayOf(account, request.query.date, now), now)
      },
    )
  }
}
