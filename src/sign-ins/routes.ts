import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Account } from '../account.js'
import type { DatabaseOf } from '../db/share.js'
import { ServiceError } from '../errors.js'
import { type AccountOf, AppId } from '../http/account-of.js'
import { type Caller, type Callers, callerOf } from '../http/callers.js'
import { BODY_ERRORS, CALLER_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { bothCallers, EXAMPLE, IsoDate, OpenId, OpenIdInstead, UserId } from '../http/schemas.js'
import { businessDate, parseIsoDate, toIsoDate } from '../lib/business-date.js'
import { USER_ID_PATTERN, userIdToJson } from '../lib/user-id.js'
import { userIdFor, userIdNamed } from '../users/persons.js'
import { findDayOfUser, findStreakUpTo, oldestKept, recordSignIn } from './sign-in.js'

const SignIn = Type.Object(
  {
    open_id: Type.Optional(OpenId),
    user_id: Type.Optional(UserId),
    date: Type.Optional(IsoDate),
    app_id: Type.Optional(AppId),
  },
  { additionalProperties: false, examples: [{ user_id: EXAMPLE.user.user_id }] },
)

const SignInAnswer = Type.Object(
  { date: IsoDate, streak: Type.Integer({ description: 'Consecutive days up to this one' }) },
  { description: 'Recorded, now or before', examples: [{ date: EXAMPLE.date, streak: 1 }] },
)

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
    date: Type.Optional(IsoDate),
    app_id: Type.Optional(AppId),
  },
  { additionalProperties: false },
)

const DayAnswer = Type.Object(
  {
    user_id: UserId,
    date: IsoDate,
    signed_in: Type.Boolean(),
    streak: Type.Integer({ description: 'Consecutive days up to this one; 0 if not signed in on it' }),
    streak_before: Type.Integer({ description: 'Consecutive days up to the day before' }),
  },
  {
    description: 'How it stands',
    examples: [
      {
        user_id: EXAMPLE.user.user_id,
        date: EXAMPLE.date,
        signed_in: true,
        streak: 3,
        streak_before: 2,
      },
    ],
  },
)

/** POST and GET /v1/sign-ins */
export function signInRoutes(deps: {
  dbOf: DatabaseOf
  accountOf: AccountOf
  callers: Callers
  retentionDays: number
  now(): number
}): FastifyPluginAsyncTypebox {
  const { dbOf, accountOf, now } = deps

  /** Today in the account's zone, or the day that is named. */
  function dayOf({ timezone }: Account, date: string | undefined): number {
    const today = businessDate(now(), timezone)
    if (date === undefined) return today
    const day = parseIsoDate(date)
    if (day === undefined)
      throw new ServiceError('invalid_request', `date: ${date} is not a valid day`, {
        field: 'date',
      })
    if (day > today) {
      const message = `date: ${date} is later than today, ${toIsoDate(today)} in ${timezone}`
      throw new ServiceError('invalid_request', message, { field: 'date' })
    }
    return day
  }

  function dayOfSignIn(account: Account, caller: Caller, date: string | undefined): number {
    const today = dayOf(account, undefined)
    const day = dayOf(account, date)
    // Otherwise a user could make up a streak.
    if (day < today && caller.kind === 'session') {
      const message = `date: a session signs in for today, ${toIsoDate(today)}; leave it out`
      throw new ServiceError('invalid_request', message, { field: 'date' })
    }
    return day
  }

  return async (app) => {
    app.post(
      '/v1/sign-ins',
      {
        onRequest: deps.callers.backendOrSession('upload'),
        schema: {
          operationId: 'recordSignIn',
          summary: 'Record that a user signed in',
          description:
            'A user who signed in today is not reminded today. Sending it again changes nothing. A day more than RETENTION_DAYS ago is not recorded; the answer gives the streak as far as it is known. A backend names user_id or open_id; with a session, leave out both, and the day is today.',
          tags: ['sign-ins'],
          security: bothCallers('upload'),
          body: SignIn,
          response: {
            201: SignInAnswer,
            ...errorsOf(...CALLER_ERRORS, ...BODY_ERRORS, 'conflict', ...DATABASE_ERRORS),
          },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request)
        const account = accountOf(request)
        const day = dayOfSignIn(account, caller, request.body.date)
        const db = dbOf(account.appId)
        const userId = await userIdFor(db, account, caller, request.body, now())
        const signIn = { appId: account.appId, userId, day }
        const isTooOld = day < oldestKept(now(), deps.retentionDays, account.timezone)
        const streak = isTooOld
          ? (await findStreakUpTo(db, signIn)) || 1
          : await recordSignIn(db, signIn, now())
        return reply.status(201).send({ date: toIsoDate(day), streak })
      },
    )
    app.get(
      '/v1/sign-ins',
      {
        onRequest: deps.callers.backendOrSession('read'),
        schema: {
          operationId: 'getSignIn',
          summary: 'Whether a user signed in on a day, and the streak',
          description:
            'A backend names user_id or open_id; a session asks about its own user. The day is today in the zone of the account if left out. A user without a sign-in is answered alike, with zeros.',
          tags: ['sign-ins'],
          security: bothCallers('read'),
          querystring: Query,
          response: {
            200: DayAnswer,
            ...errorsOf(...CALLER_ERRORS, 'conflict', ...DATABASE_ERRORS),
          },
        },
      },
      async (request) => {
        const account = accountOf(request)
        const { date, open_id, user_id } = request.query
        const day = dayOf(account, date)
        const db = dbOf(account.appId)
        const userId = await userIdNamed(db, account.appId, callerOf(request), { open_id, user_id })
        const found = await findDayOfUser(db, { appId: account.appId, userId, day })
        return { user_id: userIdToJson(userId), date: toIsoDate(day), ...found }
      },
    )
  }
}
