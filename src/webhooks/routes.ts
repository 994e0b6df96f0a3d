import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { type AccountOf, AppId } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly } from '../http/schemas.js'
import { listDeliveries, redeliver } from './log.js'
import { DeliveryAnswer, DeliveryPageAnswer, DeliveryStateSchema } from './log-schemas.js'

const MAX_LIMIT = 100
const DEFAULT_LIMIT = 30
const ID_PATTERN = '^[1-9][0-9]{0,14}$'

const Query = Type.Object(
  {
    app_id: Type.Optional(AppId),
    state: Type.Optional(DeliveryStateSchema),
    message_id: Type.Optional(
      Type.String({ pattern: ID_PATTERN, description: 'The id of the message', examples: ['1'] }),
    ),
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9]|[1-9][0-9]|100)$',
        description: `1 to ${MAX_LIMIT}; ${DEFAULT_LIMIT} if left out`,
        examples: [String(DEFAULT_LIMIT)],
      }),
    ),
    before: Type.Optional(Type.String({ pattern: ID_PATTERN, description: '`next` of the page before' })),
  },
  { additionalProperties: false },
)

const Params = Type.Object({
  id: Type.String({ pattern: ID_PATTERN, description: 'The id of the delivery', examples: ['1'] }),
})

const RedeliverBody = Type.Object(
  { app_id: Type.Optional(AppId) },
  { additionalProperties: false, examples: [{}] },
)

/** GET /v1/webhook-deliveries, POST /v1/webhook-deliveries/{id}/redeliver */
export function webhookRoutes(deps: {
  db: Knex
  accountOf: AccountOf
  callers: Callers
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, accountOf, callers, now } = deps
  const tags = ['messages']
  const common = [...BACKEND_ERRORS, ...DATABASE_ERRORS, 'invalid_request', 'unknown_account'] as const
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
            ...errorsOf(
              ...common,
              'malformed_json',
              'payload_too_large',
              'unsupported_media_type',
              'not_found',
            ),
          },
        },
      },
      async (request, reply) => {
        const { appId } = accountOf(request)
        return reply.status(202).send(await redeliver(db, appId, Number(request.params.id), now()))
      },
    )
  }
}
