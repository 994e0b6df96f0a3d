import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { ErrorBody } from '../http/errors.js'
import type { Limit } from '../http/limits.js'
import { UserId } from '../http/schemas.js'
import { userIdToJson } from '../lib/user-id.js'
import { type LogInDeps, logIn } from './log-in.js'

const Login = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 200, description: 'The code from wx.login; works once' }),
    app_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'The app of the code' })),
  },
  { additionalProperties: false },
)

const SessionAnswer = Type.Object({
  token: Type.String({ description: 'For "Authorization: Bearer TOKEN"' }),
  expires_at: Type.Integer({ description: 'In ms since 1970' }),
  user_id: Type.Optional(UserId),
})

/** POST /v1/sessions. Without `sessions` it answers that sessions are off. */
export function sessionRoutes(deps: {
  appId: string
  sessions: LogInDeps | undefined
  loginLimit: Limit
  now(): number
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/v1/sessions',
      {
        onRequest: deps.loginLimit,
        schema: {
          summary: 'Log in with a code of wx.login',
          description:
            'If the answer has no user_id, no user is bound to this person yet, and calls with the session are answered 409 user_not_bound until your backend binds one.',
          tags: ['users'],
          security: [],
          body: Login,
          response: { 201: SessionAnswer, '4xx': ErrorBody, '5xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const { code, app_id: appId = deps.appId } = request.body
        if (!deps.sessions)
          throw new ServiceError('sessions_off', 'Sessions are off: SESSION_SECRET is not set')
        if (appId !== deps.appId) {
          throw new ServiceError('invalid_request', `app_id: this service is for ${deps.appId}`, {
            field: 'app_id',
          })
        }
        const session = await logIn(deps.sessions, { code, traceId: request.id }, deps.now())
        const { token, expiresAt, userId } = session
        return reply.status(201).send({
          token,
          expires_at: expiresAt,
          ...(userId === undefined ? {} : { user_id: userIdToJson(userId) }),
        })
      },
    )
  }
}
