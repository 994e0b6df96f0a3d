import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { AccountOf } from '../http/account-of.js'
import { BATCH_BODY_BYTES } from '../http/body-limits.js'
import { type Callers, callerOf } from '../http/callers.js'
import { BACKEND_ERRORS, BODY_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { backendOnly } from '../http/schemas.js'
import type { Intake } from './intake.js'
import { readSubmission } from './read-request.js'
import { Body, Headers, SubmitAnswer } from './schemas.js'

/** POST /v1/messages */
export function submitRoutes(deps: {
  intakeOf(appId: string): Intake
  accountOf: AccountOf
  callers: Callers
  /** Called when messages of an account have been stored. */
  onSubmitted(appId: string): void
  now(): number
}): FastifyPluginAsyncTypebox {
  const { intakeOf, accountOf, now, onSubmitted } = deps
  return async (app) => {
    app.post(
      '/v1/messages',
      {
        onRequest: deps.callers.backend('send'),
        bodyLimit: BATCH_BODY_BYTES,
        schema: {
          operationId: 'submitMessages',
          summary: 'Send messages to users',
          description:
            'Answers once they are stored, each with the permit that it will spend. A batch stores the good ones and says what is wrong with each of the others.',
          tags: ['messages'],
          security: backendOnly('send'),
          headers: Headers,
          body: Body,
          response: {
            202: SubmitAnswer,
            ...errorsOf(
              ...BACKEND_ERRORS,
              ...BODY_ERRORS,
              ...DATABASE_ERRORS,
              'idempotency_conflict',
              'user_stopped',
              'user_not_bound',
              'unknown_template',
              'too_many_messages',
            ),
          },
        },
      },
      async (request, reply) => {
        const account = accountOf(request)
        const caller = callerOf(request)
        const submittedBy = caller.kind === 'backend' ? caller.name : ''
        const key = request.headers['idempotency-key']
        const submission = readSubmission(account, { submittedBy, key, body: request.body }, now())
        const answer = await intakeOf(account.appId).submit(submission)
        onSubmitted(account.appId)
        return reply.status(202).send(answer)
      },
    )
  }
}
