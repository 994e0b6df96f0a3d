import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { type Caller, type Callers, callerOf } from '../http/callers.js'
import { BODY_ERRORS, CALLER_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { BOTH_CALLERS, EXAMPLE, IsoDate, OpenId, UserId } from '../http/schemas.js'
import { businessDate, parseIsoDate, toIsoDate } from '../lib/business-date.js'
import { userIdFor } from '../users/persons.js'
import type { Numbering } from '../users/user-ids.js'
import { findStreakUpTo, oldestKept, recordSignIn } from './sign-in.js'

const SignIn = Type.Object(
  { open_id: Type.Optional(OpenId), user_id: Type.Optional(UserId), date: Type.Optional(IsoDate) },
  { additionalProperties: false, examples: [{ user_id: EXAMPLE.user.user_id }] },
)

const SignInAnswer = Type.Object(
  { date: IsoDate, streak: Type.Integer({ description: 'Consecutive days up to this one' }) },
  { description: 'Recorded, now or before', examples: [{ date: EXAMPLE.date, streak: 1 }] },
)

/** POST /v1/sign-ins */
export function signInRoutes(deps: {
  db: Knex
  account: Numbering & { timezone: string }
  callers: Callers
  retentionDays: number
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, account, now } = deps

  /** The day of the sign-in: today in the account's zone, or an earlier day if a backend names one. */
  function dayOf(caller: Caller, date: string | undefined): number {
    const today = businessDate(now(), account.timezone)
    if (date === undefined) return today
    const day = parseIsoDate(date)
    if (day === undefined)
      throw new ServiceError('invalid_request', `date: ${date} is not a valid day`, {
        field: 'date',
      })
    if (day > today) {
      const message = `date: ${date} is later than today, ${toIsoDate(today)} in ${account.timezone}`
      throw new ServiceError('invalid_request', message, { field: 'date' })
    }
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
        onRequest: deps.callers.backendOrSession,
        schema: {
          operationId: 'recordSignIn',
          summary: 'Record that a user signed in',
          description:
            'A user who signed in today is not reminded today. Sending it again changes nothing. A day more than RETENTION_DAYS ago is not recorded; the answer gives the streak as far as it is known. A backend names user_id or open_id; with a session, leave out both, and the day is today.',
          tags: ['sign-ins'],
          security: BOTH_CALLERS,
          body: SignIn,
          response: {
            201: SignInAnswer,
            ...errorsOf(...CALLER_ERRORS, ...BODY_ERRORS, 'conflict', ...DATABASE_ERRORS),
          },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request)
        const day = dayOf(caller, request.body.date)
        const userId = await userIdFor(db, account, caller, request.body, now())
        const signIn = { appId: account.appId, userId, day }
        const isTooOld = day < oldestKept(now(), deps.retentionDays, account.timezone)
        const streak = isTooOld ? await findStreakUpTo(db, signIn) : await recordSignIn(db, signIn, now())
        return reply.status(201).send({ date: toIsoDate(day), streak })
      },
    )
  }
}
