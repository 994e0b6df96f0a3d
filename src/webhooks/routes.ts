import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import type { DatabaseOf } from '../db/share.js'
import { type AccountOf, AppId } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, BODY_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly, PageLimit, RowId } from '../http/schemas.js'
import { listDeliveries, redeliver } from './log.js'
import { DeliveryAnswer, DeliveryPageAnswer, DeliveryStateSchema } from './log-schemas.js'

const DEFAULT_LIMIT = 30

const Query = Type.Object(
  {
    app_id: Type.Optional(AppId),
    state: Type.Optional(DeliveryStateSchema),
    message_id: Type.Optional(RowId('The id of the message', ['1'])),
    limit: PageLimit(DEFAULT_LIMIT),
    before: Type.Optional(RowId('`next` of the page before')),
  },
  { additionalProperties: false },
)

const Params = Type.Object({
  id: RowId('The id of the delivery', ['1']),
})

const RedeliverBody = Type.Object(
  { app_id: Type.Optional(AppId) },
  { additionalProperties: false, examples: [{}] },
)

/** GET /v1/webhook-deliveries, POST /v1/webhook-deliveries/{id}/redeliver */
export function webhookRoutes(deps: {
  db: Knex
  dbOf: DatabaseOf
  accountOf: AccountOf
  callers: Callers
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, dbOf, accountOf, callers, now } = deps
  const tags = ['messages']
  const common = [...BACKEND_ERRORS, ...DATABASE_ERRORS] as const
  return async (app) => {
    app.get(
      '/v1/webhook-deliveries',
      {
        onRequest: callers.backend('read'),
        schema: {
          operationId: 'listWebhookDeliveries',
          summary: 'What the webhook was told, newest first',
          description:
            'One for each event of a submitted message, since the account has a webhook: those delivered, those that wait for an attempt, and those given up.',
          tags,
          security: backendOnly('read'),
          querystring: Query,
          response: { 200: DeliveryPageAnswer, ...errorsOf(...common) },
        },
      },
      (request) => {
        const { state, message_id, limit, before } = request.query
        return listDeliveries(db, accountOf(request).appId, {
          state,
          messageId: message_id === undefined ? undefined : Number(message_id),
          limit: limit === undefined ? DEFAULT_LIMIT : Number(limit),
          before: before === undefined ? undefined : Number(before),
        })
      },
    )
    app.post(
      '/v1/webhook-deliveries/:id/redeliver',
      {
        onRequest: callers.backend('send'),
        schema: {
          operationId: 'redeliverWebhook',
          summary: 'Tell the webhook again',
          description:
            'At once, with the same webhook-id and as many attempts as a new event. One that is being sent at this moment is left alone.',
          tags,
          security: backendOnly('send'),
          params: Params,
          body: RedeliverBody,
          response: {
            202: DeliveryAnswer,
            ...errorsOf(...common, ...BODY_ERRORS, 'not_found'),
          },
        },
      },
      async (request, reply) => {
        const { appId } = accountOf(request)
        return reply.status(202).send(await redeliver(dbOf(appId), appId, Number(request.params.id), now()))
      },
    )
  }
}
