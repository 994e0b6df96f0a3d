import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { type AccountOf, AppId } from '../http/account-of.js'
import { BODY_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import type { Limit } from '../http/limits.js'
import { EXAMPLE, UserId } from '../http/schemas.js'
import { userIdToJson } from '../lib/user-id.js'
import { type LogInDeps, logIn } from './log-in.js'

const Login = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 200, description: 'The code from wx.login; works once' }),
    app_id: Type.Optional(AppId),
  },
  { additionalProperties: false, examples: [{ code: '0a3x2yGa1d8qVH0Gq0Ia1XvUmN0x2yGk' }] },
)

const SessionAnswer = Type.Object(
  {
    token: Type.String({ description: 'For "Authorization: Bearer TOKEN"' }),
    expires_at: Type.Integer({ description: 'In ms since 1970' }),
    user_id: Type.Optional(UserId),
  },
  {
    description: 'A session of seven days',
    examples: [
      {
        token: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvRGVtbzEifQ.c2lnbmF0dXJl',
        expires_at: 1_795_867_200_000,
        user_id: EXAMPLE.user.user_id,
      },
    ],
  },
)

const LOGIN_ERRORS = [
  'invalid_code',
  'high_risk_user',
  'unknown_account',
  'sessions_off',
  'code_used',
  'too_many_requests',
  'wechat_unavailable',
  'login_misconfigured',
] as const

/** POST /v1/sessions. Without `sessions` it answers that sessions are off. */
export function sessionRoutes(deps: {
  accountOf: AccountOf
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
          operationId: 'createSession',
          summary: 'Log in with a code of wx.login',
          description:
            'If the answer has no user_id, no user is bound to this person yet, and calls with the session are answered 409 user_not_bound until your backend binds one.',
          tags: ['users'],
          security: [],
          body: Login,
          response: { 201: SessionAnswer, ...errorsOf(...LOGIN_ERRORS, ...BODY_ERRORS, ...DATABASE_ERRORS) },
        },
      },
      async (request, reply) => {
        const { code } = request.body
        if (!deps.sessions)
          throw new ServiceError('sessions_off', 'Sessions are off: SESSION_SECRET is not set')
        const login = { account: deps.accountOf(request), code, traceId: request.id }
        const session = await logIn(deps.sessions, login, deps.now())
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
