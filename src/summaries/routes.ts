import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { type AccountOf, AppId } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly, EXAMPLE, IsoDate, UserId } from '../http/schemas.js'
import { parseIsoDate } from '../lib/business-date.js'
import { USER_ID_PATTERN } from '../lib/user-id.js'
import { readUserId } from '../users/persons.js'
import { DEFAULT_DAYS, findForecast, MAX_DAYS } from './forecast.js'
import { findGoingDark } from './going-dark.js'

const MAX_LIMIT = 500
const DEFAULT_LIMIT = 100

/** A number in a query: there is nothing but text in one, and nothing is coerced. */
const Digits = (description: string, example: number) =>
  Type.String({ pattern: '^[0-9]{1,6}$', description, examples: [String(example)] })

function countIn(text: string | undefined, field: string, most: number, otherwise: number): number {
  if (text === undefined) return otherwise
  const count = Number(text)
  if (count >= 1 && count <= most) return count
  throw new ServiceError('invalid_request', `${field}: ${text} is not within 1 to ${most}`, { field })
}

const ForecastQuery = Type.Object(
  {
    days: Type.Optional(Digits(`How many days, 1 to ${MAX_DAYS}; default ${DEFAULT_DAYS}`, DEFAULT_DAYS)),
    app_id: Type.Optional(AppId),
  },
  { additionalProperties: false },
)

const Users = (description: string) => Type.Integer({ minimum: 0, description })
const Guess = (description: string) =>
  Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description })

const ForecastAnswer = Type.Object(
  {
    from: IsoDate,
    as_of: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description: 'When it was counted; null: not yet, a large account is counted every few minutes',
    }),
    days: Type.Array(
      Type.Object({
        date: IsoDate,
        reachable: Users(
          'Users who can be reminded on the day if no permit arrives, nobody signs in, and every earlier reminder is spent, oldest permit first',
        ),
        permits_left: Users('Permits valid at the firing of the day and not spent on earlier days'),
        going_dark: Users('Users who are reachable on the day and not on the next one with reminders'),
        expected: Guess(
          'reachable, changed by what arriving permits and sign-ins usually changed in the last 14 days; null without at least three days of history',
        ),
        expected_low: Guess('One day in ten was lower'),
        expected_high: Guess('One day in ten was higher'),
      }),
    ),
  },
  {
    description: 'The coming days, in their order',
    examples: [
      {
        from: '2026-11-21',
        as_of: '2026-11-20T14:30:00.000Z',
        days: [
          {
            date: '2026-11-21',
            reachable: 61200,
            permits_left: 180300,
            going_dark: 9100,
            expected: 63900,
            expected_low: 62800,
            expected_high: 65100,
          },
        ],
      },
    ],
  },
)

const DarkQuery = Type.Object(
  {
    date: IsoDate,
    limit: Type.Optional(
      Digits(`How many users, 1 to ${MAX_LIMIT}; default ${DEFAULT_LIMIT}`, DEFAULT_LIMIT),
    ),
    after: Type.Optional(
      Type.String({ pattern: USER_ID_PATTERN, description: '`next` of the answer before this one' }),
    ),
    app_id: Type.Optional(AppId),
  },
  { additionalProperties: false },
)

const DarkAnswer = Type.Object(
  {
    date: IsoDate,
    users: Type.Array(
      Type.Object({
        user_id: UserId,
        permits: Type.Integer({ description: 'Permits of the user that a reminder can still spend' }),
      }),
    ),
    next: Type.Union([UserId, Type.Null()], {
      description:
        'Pass it as `after` for more; null: that was all. A page may be short, or empty, and still have it',
    }),
  },
  {
    description: 'A page of users, in the order of their ids',
    examples: [
      {
        date: EXAMPLE.date,
        users: [{ user_id: EXAMPLE.user.user_id, permits: 1 }],
        next: null,
      },
    ],
  },
)

/** GET /v1/forecast and GET /v1/forecast/going-dark */
export function forecastRoutes(deps: {
  db: Knex
  accountOf: AccountOf
  callers: Callers
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, accountOf, now } = deps
  const shared = { tags: ['forecast'], security: backendOnly('read') }
  const failures = errorsOf(...BACKEND_ERRORS, ...DATABASE_ERRORS)
  return async (app) => {
    app.get(
      '/v1/forecast',
      {
        onRequest: deps.callers.backend('read'),
        schema: {
          ...shared,
          operationId: 'getForecast',
          summary: 'How many users can be reminded on each coming day',
          description:
            'From today while its sending window is open, else from tomorrow. On a day on which REMIND_CRON does not fire, nobody is reachable. A large account is counted every few minutes, see as_of.',
          querystring: ForecastQuery,
          response: { 200: ForecastAnswer, ...failures },
        },
      },
      (request) => {
        const days = countIn(request.query.days, 'days', MAX_DAYS, DEFAULT_DAYS)
        return findForecast(db, accountOf(request), { days }, now())
      },
    )
    app.get(
      '/v1/forecast/going-dark',
      {
        onRequest: deps.callers.backend('read'),
        schema: {
          ...shared,
          operationId: 'listGoingDark',
          summary: 'Who can be reminded on that day for the last time',
          description:
            'Users in the order of their ids, unless a permit arrives or they sign in. Each call examines a bounded number of users, so a page may be short, or empty, and still have `next`.',
          querystring: DarkQuery,
          response: { 200: DarkAnswer, ...failures },
        },
      },
      async (request) => {
        const { query } = request
        const date = parseIsoDate(query.date)
        if (date === undefined)
          throw new ServiceError('invalid_request', `date: ${query.date} is not a valid day`, {
            field: 'date',
          })
        const limit = countIn(query.limit, 'limit', MAX_LIMIT, DEFAULT_LIMIT)
        const after = query.after === undefined ? undefined : readUserId(query.after, 'after')
        return findGoingDark(db, accountOf(request), { date, limit, after }, now())
      },
    )
  }
}
