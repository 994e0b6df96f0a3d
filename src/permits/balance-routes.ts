import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { type AccountOf, AppId } from '../http/account-of.js'
import { type Callers, callerOf } from '../http/callers.js'
import { CALLER_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { bothCallers, EXAMPLE, IsoDate, OpenIdInstead, UserId } from '../http/schemas.js'
import { toIsoDate } from '../lib/business-date.js'
import { USER_ID_PATTERN, userIdToJson } from '../lib/user-id.js'
import { userIdNamed } from '../users/persons.js'
import { findBalance } from './find-balance.js'

const Query = Type.Object(
  {
    user_id: Type.Optional(
      Type.String({
        pattern: USER_ID_PATTERN,
        description: "The owner's number for the user",
        examples: [String(EXAMPLE.user.user_id)],
      }),
    ),
    open_id: Type.Optional(OpenIdInstead),
    app_id: Type.Optional(AppId),
  },
  { additionalProperties: false },
)

const BalanceAnswer = Type.Object(
  {
    user_id: UserId,
    permits: Type.Integer({ description: 'Permits that a reminder could spend; at most 1,000 are counted' }),
    days_covered: Type.Integer({
      description: 'Reminders possible in a row, one a day, starting with the next one',
    }),
    covered_until: Type.Union([IsoDate, Type.Null()], {
      description: 'The day of the last of these reminders',
    }),
    ask: Type.Boolean({ description: 'Whether another permit would be useful now' }),
    reason: Type.String({
      description: 'none_left, few_left, refused; enough, opted_out, blocked, not_needed',
    }),
    templates: Type.Array(
      Type.Object({
        template_id: Type.String(),
        permits: Type.Integer({ description: 'Unspent subscriptions to it' }),
        ask: Type.Boolean({ description: 'Whether another one would be useful now' }),
        reason: Type.String({ description: 'Why, or why not, in the same words' }),
      }),
      {
        description:
          'The templates that wx.requestSubscribeMessage may ask for here, the reminder’s first: REMINDER_TEMPLATE_ID on the channel subscribe, and those of TEMPLATES. Empty for a service account',
      },
    ),
  },
  {
    description: 'What the user has left, and whether to ask for more',
    examples: [
      {
        user_id: EXAMPLE.user.user_id,
        permits: 3,
        days_covered: 3,
        covered_until: '2026-11-24',
        ask: true,
        reason: 'few_left',
        templates: [
          { template_id: 'TEMPLATE-ID-OF-YOUR-ACCOUNT', permits: 0, ask: true, reason: 'none_left' },
        ],
      },
    ],
  },
)

/** GET /v1/permits */
export function balanceRoutes(deps: {
  db: Knex
  accountOf: AccountOf
  callers: Callers
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, accountOf, now } = deps
  return async (app) => {
    app.get(
      '/v1/permits',
      {
        onRequest: deps.callers.backendOrSession('read'),
        schema: {
          operationId: 'getPermits',
          summary: 'How many permits are left, and whether asking for more is useful now',
          description: 'A backend names user_id or open_id; a session asks about its own user.',
          tags: ['permits'],
          security: bothCallers('read'),
          querystring: Query,
          response: {
            200: BalanceAnswer,
            ...errorsOf(...CALLER_ERRORS, ...DATABASE_ERRORS),
          },
        },
      },
      async (request) => {
        const account = accountOf(request)
        const { user_id, open_id } = request.query
        const userId = await userIdNamed(db, account.appId, callerOf(request), { open_id, user_id })
        const { daysCovered, coveredUntil, templates, ...rest } = await findBalance(
          db,
          account,
          userId,
          now(),
        )
        return {
          user_id: userIdToJson(userId),
          days_covered: daysCovered,
          covered_until: coveredUntil === undefined ? null : toIsoDate(coveredUntil),
          ...rest,
          templates: templates.map(({ templateId, ...left }) => ({ template_id: templateId, ...left })),
        }
      },
    )
  }
}
