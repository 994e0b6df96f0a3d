import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import type { DatabaseOf } from '../db/share.js'
import { type AccountOf, AppId, AppIdQuery } from '../http/account-of.js'
import type { Callers } from '../http/callers.js'
import { BACKEND_ERRORS, BODY_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly, EXAMPLE, Milliseconds, PageLimit, RowId } from '../http/schemas.js'
import { USER_ID_PATTERN } from '../lib/user-id.js'
import { readUserId } from '../users/persons.js'
import { cancelMessage } from './cancel.js'
import { requeueMessage } from './requeue.js'
import { StateSchema, TEMPLATE } from './schemas.js'
import { findMessage, listMessages } from './status.js'
import { MessageAnswer, PageAnswer } from './status-schemas.js'

const DEFAULT_LIMIT = 30

const Params = Type.Object({
  id: RowId('The id of the message', ['1']),
})

const Query = Type.Object(
  {
    app_id: Type.Optional(AppId),
    state: Type.Optional(StateSchema),
    user_id: Type.Optional(
      Type.String({
        pattern: USER_ID_PATTERN,
        description: "The owner's number for the user",
        examples: [String(EXAMPLE.user.user_id)],
      }),
    ),
    template_id: Type.Optional(
      Type.String({ pattern: '^[\\x21-\\x7e]{1,64}$', description: 'The template', examples: [TEMPLATE] }),
    ),
    limit: PageLimit(DEFAULT_LIMIT),
    before: Type.Optional(RowId('`next` of the page before')),
  },
  { additionalProperties: false },
)

const RequeueBody = Type.Object(
  {
    app_id: Type.Optional(AppId),
    not_after: Type.Optional(
      Milliseconds('Not sent from this time on, in ms since 1970; left out: as before'),
    ),
  },
  { additionalProperties: false, examples: [{}] },
)

/** GET /v1/messages, GET and DELETE /v1/messages/{id}, POST /v1/messages/{id}/requeue */
export function messageRoutes(deps: {
  db: Knex
  dbOf: DatabaseOf
  accountOf: AccountOf
  callers: Callers
  /** Called when a message of an account has been queued again. */
  onSubmitted(appId: string): void
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, dbOf, accountOf, callers, now, onSubmitted } = deps
  const common = { tags: ['messages'] }
  const reads = { ...common, security: backendOnly('read') }
  const sends = { ...common, security: backendOnly('send') }
  const errors = errorsOf(...BACKEND_ERRORS, ...DATABASE_ERRORS)
  const ofOne = errorsOf(...BACKEND_ERRORS, ...DATABASE_ERRORS, 'not_found')
  return async (app) => {
    app.get(
      '/v1/messages',
      {
        onRequest: callers.backend('read'),
        schema: {
          ...reads,
          operationId: 'listMessages',
          summary: 'Submitted messages, newest first',
          description:
            'All of the account, or those of a state, a user or a template. `dead` are those that used up their attempts.',
          querystring: Query,
          response: { 200: PageAnswer, ...errors },
        },
      },
      (request) => {
        const { state, user_id, template_id, limit, before } = request.query
        return listMessages(db, accountOf(request).appId, {
          state,
          userId: user_id === undefined ? undefined : readUserId(user_id, 'user_id'),
          templateId: template_id,
          limit: limit === undefined ? DEFAULT_LIMIT : Number(limit),
          before: before === undefined ? undefined : Number(before),
        })
      },
    )
    app.get(
      '/v1/messages/:id',
      {
        onRequest: callers.backend('read'),
        schema: {
          ...reads,
          operationId: 'getMessage',
          summary: 'How a submitted message stands',
          description: 'With every request that was made for it, and what its state means.',
          params: Params,
          querystring: AppIdQuery,
          response: { 200: MessageAnswer, ...ofOne },
        },
      },
      (request) => findMessage(db, accountOf(request).appId, Number(request.params.id)),
    )
    app.delete(
      '/v1/messages/:id',
      {
        onRequest: callers.backend('send'),
        schema: {
          ...sends,
          operationId: 'cancelMessage',
          summary: 'Cancel a submitted message that waits',
          description:
            'In the queue, or for another attempt: its permit is given back. Cancelling it again changes nothing.',
          params: Params,
          querystring: AppIdQuery,
          response: {
            200: MessageAnswer,
            ...errorsOf(...BACKEND_ERRORS, ...DATABASE_ERRORS, 'not_found', 'message_sent'),
          },
        },
      },
      (request) => {
        const { appId } = accountOf(request)
        return cancelMessage(dbOf(appId), appId, Number(request.params.id), now())
      },
    )
    app.post(
      '/v1/messages/:id/requeue',
      {
        onRequest: callers.backend('send'),
        schema: {
          ...sends,
          operationId: 'requeueMessage',
          summary: 'Queue a dead letter again',
          description:
            'With the oldest permit that the user has now, and as many attempts as a new message. What it has tried so far stays on record.',
          params: Params,
          body: RequeueBody,
          response: {
            202: MessageAnswer,
            ...errorsOf(
              ...BACKEND_ERRORS,
              ...BODY_ERRORS,
              ...DATABASE_ERRORS,
              'not_found',
              'message_not_dead',
              'message_expired',
              'no_permit',
              'too_many_messages',
              'user_stopped',
              'user_not_bound',
            ),
          },
        },
      },
      async (request, reply) => {
        const account = accountOf(request)
        const of = { id: Number(request.params.id), notAfter: request.body.not_after }
        const message = await requeueMessage(dbOf(account.appId), account, of, now())
        onSubmitted(account.appId)
        return reply.status(202).send(message)
      },
    )
  }
}
