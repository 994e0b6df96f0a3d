import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { DatabaseOf } from '../db/share.js'
import { inRequest } from '../db/transaction.js'
import { type AccountOf, AppId } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, BODY_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly, EXAMPLE, OpenId, UserId } from '../http/schemas.js'
import { userIdToJson } from '../lib/user-id.js'
import { readUserId } from './persons.js'
import { rebindUser } from './rebind.js'

const BindingBody = Type.Object(
  {
    open_id: OpenId,
    user_id: UserId,
    app_id: Type.Optional(AppId),
    move_permits: Type.Optional(
      Type.Boolean({
        description:
          'true: an open_id of another user is handed over, with its unspent permits. Otherwise that is answered 409',
      }),
    ),
  },
  { additionalProperties: false, examples: [EXAMPLE.user] },
)

const BindingAnswer = Type.Object(
  {
    open_id: OpenId,
    user_id: UserId,
    moved: Type.Integer({ description: 'Unspent permits that were handed over' }),
  },
  { description: 'Bound, now or before', examples: [{ ...EXAMPLE.user, moved: 0 }] },
)

/** PUT /v1/users. The open_id is in the body because URLs are logged on the way. */
export function userRoutes(deps: {
  dbOf: DatabaseOf
  accountOf: AccountOf
  callers: Callers
  onBound(appId: string, openId: string): Promise<void>
  now(): number
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.put(
      '/v1/users',
      {
        onRequest: deps.callers.backend('upload'),
        schema: {
          operationId: 'bindUser',
          summary: 'Bind an open_id to a user',
          description:
            'Repeating it changes nothing. An open_id has one user; a user may have several open_ids. An open_id of another user is answered 409 unless move_permits is true.',
          tags: ['users'],
          security: backendOnly('upload'),
          body: BindingBody,
          response: {
            200: BindingAnswer,
            ...errorsOf(...BACKEND_ERRORS, ...BODY_ERRORS, 'conflict', ...DATABASE_ERRORS),
          },
        },
      },
      async (request) => {
        const account = deps.accountOf(request)
        const { open_id: openId, move_permits: movePermits = false } = request.body
        const userId = readUserId(request.body.user_id, 'user_id')
        const moved = await inRequest(deps.dbOf(account.appId), (trx) =>
          rebindUser(trx, account, { openId, userId, movePermits }, deps.now()),
        )
        await deps.onBound(account.appId, openId)
        return { open_id: openId, user_id: userIdToJson(userId), moved }
      },
    )
  }
}
