import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import type { DatabaseOf } from '../db/share.js'
import { inTransaction } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { type AccountOf, AppId, AppIdQuery } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, BODY_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly, EXAMPLE, UserId, UserIdParams } from '../http/schemas.js'
import { userIdToJson } from '../lib/user-id.js'
import { bringBackNamed } from './bring-back.js'
import { readUserId } from './persons.js'
import * as store from './stop-store.js'

/** Of PUT. Callers that were written before there was a body send none. */
const Wish = Type.Unsafe<{ opted_out: boolean; app_id?: string } | null | undefined>({
  type: ['object', 'null'],
  required: ['opted_out'],
  properties: {
    opted_out: { type: 'boolean', description: 'false brings the user back, as DELETE does' },
    app_id: AppId,
  },
  additionalProperties: false,
  examples: [{ opted_out: true }],
})

const Answer = Type.Object(
  {
    user_id: UserId,
    stopped: Type.Boolean({ description: 'Whether messages to this user are stopped now' }),
  },
  {
    description: 'How it stands now',
    examples: [{ user_id: EXAMPLE.user.user_id, stopped: true }],
  },
)

/** PUT and DELETE /v1/users/{user_id}/opt-out, for all open_ids of a user. */
export function optOutRoutes(deps: {
  dbOf: DatabaseOf
  accountOf: AccountOf
  callers: Callers
  now(): number
}): FastifyPluginAsyncTypebox {
  const { dbOf, accountOf, now } = deps

  const schema = {
    tags: ['users'],
    security: backendOnly('admin'),
    params: UserIdParams,
    response: {
      200: Answer,
      ...errorsOf(...BACKEND_ERRORS, ...BODY_ERRORS, 'not_found', ...DATABASE_ERRORS),
    },
  }

  async function change(
    request: FastifyRequest & { params: { user_id: string } },
    write: (trx: Knex.Transaction, named: store.Named, now: number) => Promise<unknown>,
  ): Promise<Type.Static<typeof Answer>> {
    const { appId } = accountOf(request)
    const userId = readUserId(request.params.user_id, 'user_id')
    const named = { appId, userId }
    const stopped = await inTransaction(dbOf(appId), async (trx) => {
      await write(trx, named, now())
      return store.countStopped(trx, named)
    })
    if (stopped.persons === 0)
      throw new ServiceError('not_found', 'No open_id is bound to this user: bind it first (PUT /v1/users)')
    return { user_id: userIdToJson(userId), stopped: stopped.stopped > 0 }
  }

  return async (app) => {
    app.put(
      '/v1/users/:user_id/opt-out',
      {
        onRequest: deps.callers.backend('admin'),
        schema: {
          ...schema,
          body: Wish,
          operationId: 'setOptOut',
          summary: 'Stop messages to a user, at the user’s own request, or bring the user back',
          description:
            '`{"opted_out": true}`, or no body, stops all messages. That holds until `{"opted_out": false}`: neither an accepted subscription nor a bulk bring-back ends it. Repeating it changes nothing. A message that is being sent at this moment still goes out.',
        },
      },
      (request) => change(request, request.body?.opted_out === false ? bringBackNamed : store.recordWish),
    )
    app.delete(
      '/v1/users/:user_id/opt-out',
      {
        onRequest: deps.callers.backend('admin'),
        schema: {
          ...schema,
          querystring: AppIdQuery,
          operationId: 'endOptOut',
          summary: 'Bring a user back',
          description:
            'The same as PUT with `{"opted_out": false}`. Ends whatever stops messages to the user: an opt-out, a refusal that WeChat reported, a block. Subscriptions that the refusal of a message voided are good again. If WeChat still refuses, the next message is refused and the stop is recorded again.',
        },
      },
      (request) => change(request, bringBackNamed),
    )
  }
}
