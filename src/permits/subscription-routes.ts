import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { BATCH_BODY_BYTES, limitSessionBody } from '../http/body-limits.js'
import { type Callers, callerOf } from '../http/callers.js'
import { ErrorBody } from '../http/errors.js'
import { BOTH_CALLERS, itemsOf, OpenId, oneOrBatch, UserId } from '../http/schemas.js'
import type { Logger } from '../lib/logger.js'
import { type Person, personsOf } from '../users/persons.js'
import type { Numbering } from '../users/user-ids.js'
import { reportSubscription, type SubscriptionOutcome } from './report-subscription.js'
import { logSubscriptions } from './upload-log.js'

/** Each has a transaction of its own. */
const MAX_ITEMS = 100

const Item = Type.Object(
  {
    open_id: Type.Optional(OpenId),
    user_id: Type.Optional(UserId),
    template_id: Type.String({ pattern: '^[\\x21-\\x7e]{1,64}$', description: 'One of tmplIds' }),
    result: Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'What wx.requestSubscribeMessage returned for it, e.g. accept or reject',
    }),
    tap_id: Type.Optional(
      Type.String({
        pattern: '^[\\x21-\\x7e]{1,64}$',
        description: 'Your id for the tap: reports with the same id count once',
      }),
    ),
    tapped_at: Type.Optional(
      Type.Integer({ minimum: 0, description: 'In ms since 1970; a time in the future counts as now' }),
    ),
  },
  { additionalProperties: false },
)

const Answer = Type.Object({
  accepted: Type.Integer(),
  duplicates: Type.Integer(),
  refused: Type.Integer(),
  results: Type.Array(
    Type.Object({
      template_id: Type.String(),
      outcome: Type.String({ description: 'accepted, duplicate or refused' }),
      reason: Type.Optional(Type.String({ description: 'Why a refused one is not a permit' })),
    }),
  ),
})

/** POST /v1/subscriptions */
export function subscriptionRoutes(deps: {
  db: Knex
  account: Numbering
  callers: Callers
  log: Logger
  now(): number
  /** Is told what came of the items of a request. */
  onReported?(outcomes: SubscriptionOutcome[]): void
}): FastifyPluginAsyncTypebox {
  const { db, account, log, now } = deps
  return async (app) => {
    app.post(
      '/v1/subscriptions',
      {
        onRequest: deps.callers.backendOrSession,
        preParsing: limitSessionBody,
        bodyLimit: BATCH_BODY_BYTES,
        schema: {
          summary: 'Report what wx.requestSubscribeMessage answered',
          description:
            'One accept is one permit, which does not expire. WeChat also reports the tap in an event: the two count once. With a session, leave out open_id and user_id; up to 20 items.',
          tags: ['permits'],
          security: BOTH_CALLERS,
          body: oneOrBatch(Item, MAX_ITEMS),
          response: { 201: Answer, '4xx': ErrorBody, '5xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const body = itemsOf(request.body)
        const persons = await personsOf(db, account, callerOf(request), body, now())
        const outcomes: SubscriptionOutcome[] = []
        for (const [i, person] of persons.entries()) {
          const item = body.items[i]
          if (item) outcomes.push(await reportSubscription(db, toReport(account.appId, item, person), now()))
        }
        const reports = outcomes.map(({ outcome }, i) => ({ userId: persons[i]?.userId, outcome }))
        logSubscriptions(log, request.id, reports)
        deps.onReported?.(outcomes)
        return reply.status(201).send(toAnswer(body.items, outcomes))
      },
    )
  }
}

function toReport(
  appId: string,
  item: Type.Static<typeof Item>,
  person: Person,
): Parameters<typeof reportSubscription>[1] {
  const { template_id: templateId, result, tap_id: tapId, tapped_at: tappedAt } = item
  return { appId, ...person, templateId, result, tapId, tappedAt }
}

function toAnswer(
  items: Type.Static<typeof Item>[],
  outcomes: SubscriptionOutcome[],
): Type.Static<typeof Answer> {
  const count = (outcome: SubscriptionOutcome['outcome']) =>
    outcomes.filter((one) => one.outcome === outcome).length
  return {
    accepted: count('accepted'),
    duplicates: count('duplicate'),
    refused: count('refused'),
    results: outcomes.map((outcome, i) => ({ template_id: items[i]?.template_id ?? '', ...outcome })),
  }
}
