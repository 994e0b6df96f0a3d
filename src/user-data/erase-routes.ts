import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { DatabaseOf } from '../db/share.js'
import { type AccountOf, AppIdQuery } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly, EXAMPLE, UserId, UserIdParams } from '../http/schemas.js'
import type { Logger } from '../lib/logger.js'
import { readUserId } from '../users/persons.js'
import { eraseUser } from './erase.js'

const ErasureAnswer = Type.Object(
  {
    user_id: UserId,
    open_ids: Type.Integer({ description: 'Persons who were forgotten, with their sessions' }),
    permits: Type.Integer({ description: 'Permits without open_id, form_id and page now' }),
    voided: Type.Integer({ description: 'Of these, unspent ones, which are expired now' }),
    messages: Type.Integer({
      description: 'Messages without receiver, texts and what WeChat can look up now',
    }),
    events: Type.Integer({ description: "WeChat's events that were deleted" }),
    complete: Type.Boolean({ description: 'false: there is more than one call erases, send it again' }),
  },
  {
    description: 'What is erased now',
    examples: [
      {
        user_id: EXAMPLE.user.user_id,
        open_ids: 1,
        permits: 3,
        voided: 2,
        messages: 1,
        events: 0,
        complete: true,
      },
    ],
  },
)

/** DELETE /v1/users/{user_id} */
export function eraseRoutes(deps: {
  dbOf: DatabaseOf
  accountOf: AccountOf
  callers: Callers
  log: Logger
  now(): number
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.delete(
      '/v1/users/:user_id',
      {
        onRequest: deps.callers.backend('admin'),
        schema: {
          operationId: 'eraseUser',
          summary: 'Erase what is personal about a user',
          description:
            'Takes away open_ids, sessions, form_ids, texts and events; sums stay as they are. Repeating it erases what has come since, and answers zeros if nothing has. 409 while a message to the user is being sent: send it again after Retry-After.',
          tags: ['users'],
          security: backendOnly('admin'),
          params: UserIdParams,
          querystring: AppIdQuery,
          response: {
            200: ErasureAnswer,
            ...errorsOf(...BACKEND_ERRORS, 'conflict', ...DATABASE_ERRORS),
          },
        },
      },
      (request) => {
        const userId = readUserId(request.params.user_id, 'user_id')
        const { dbOf, log } = deps
        const { appId } = deps.accountOf(request)
        return eraseUser({ db: dbOf(appId), appId, log }, { userId, traceId: request.id }, deps.now())
      },
    )
  }
}
