import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import type { Authenticate } from '../http/api-key.js'
import { ErrorBody } from '../http/errors.js'
import { IsoDate, UserId } from '../http/schemas.js'
import { businessDate, parseIsoDate, toIsoDate } from '../lib/business-date.js'
import { recordSignIn } from './sign-in.js'

const SignIn = Type.Object({ user_id: UserId, date: Type.Optional(IsoDate) }, { additionalProperties: false })

const SignInAnswer = Type.Object({
  date: IsoDate,
  streak: Type.Integer({ description: 'Consecutive days up to this one' }),
})

/** POST /v1/sign-ins */
export function signInRoutes(deps: {
  db: Knex
  account: { appId: string; timezone: string }
  authenticate: Authenticate
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, account, now } = deps

  /** The day that is meant: today in the account's zone, or an earlier one. */
  function dayOf(date: string | undefined): number {
    const today = businessDate(now(), account.timezone)
    if (date === undefined) return today
    const day = parseIsoDate(date)
    if (day === undefined)
      throw new ServiceError('invalid_request', `date: ${date} is no day`, { field: 'date' })
    if (day > today) {
      const message = `date: ${date} is later than today, ${toIsoDate(today)} in ${account.timezone}`
      throw new ServiceError('invalid_request', message, { field: 'date' })
    }
    return day
  }

  return async (app) => {
    app.post(
      '/v1/sign-ins',
      {
        onRequest: async (request) => {
          deps.authenticate(request)
        },
        schema: {
          summary: 'Record that a user signed in',
          description: 'Who signed in today is not reminded today. Sending it again changes nothing.',
          tags: ['sign-ins'],
          security: [{ apiKey: [] }],
          body: SignIn,
          response: { 201: SignInAnswer, '4xx': ErrorBody, '5xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const { user_id: userId, date } = request.body
        const day = dayOf(date)
        const streak = await recordSignIn(db, { appId: account.appId, userId, day }, now())
        return reply.status(201).send({ date: toIsoDate(day), streak })
      },
    )
  }
}
