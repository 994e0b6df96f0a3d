import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Account } from '../account.js'
import type { DatabaseOf } from '../db/share.js'
import type { AccountOf } from '../http/account-of.js'
import { ItemError, type Items, itemReader, oneOrBatch } from '../http/batch.js'
import { BATCH_BODY_BYTES, limitSessionBody } from '../http/body-limits.js'
import { type Callers, callerOf } from '../http/callers.js'
import { BODY_ERRORS, CALLER_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { errorShape } from '../http/errors.js'
import { bothCallers, EXAMPLE, Milliseconds, OpenId, UserId } from '../http/schemas.js'
import type { Logger } from '../lib/logger.js'
import { type Person, personsOf } from '../users/persons.js'
import { takesSubscriptionsOf, unknownTemplate } from './known-templates.js'
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
    tapped_at: Type.Optional(Milliseconds('In ms since 1970; a time in the future counts as now')),
  },
  { additionalProperties: false },
)

const TEMPLATE = 'TEMPLATE-ID-OF-YOUR-ACCOUNT'

const EXAMPLES = {
  one: { ...EXAMPLE.user, template_id: TEMPLATE, result: 'accept', tap_id: 'tap-1' },
  batch: [
    { ...EXAMPLE.user, template_id: TEMPLATE, result: 'accept', tap_id: 'tap-1' },
    { ...EXAMPLE.other, template_id: TEMPLATE, result: 'reject' },
  ],
}

const Answer = Type.Object(
  {
    accepted: Type.Integer({ description: 'Permits stored now' }),
    duplicates: Type.Integer({ description: 'The same tap, reported before' }),
    refused: Type.Integer({ description: 'No permit, each with a reason' }),
    results: Type.Array(
      Type.Object({
        template_id: Type.Optional(Type.String()),
        outcome: Type.String({ description: 'accepted, duplicate or refused' }),
        reason: Type.Optional(
          Type.String({
            description:
              'Why a refused one is not a permit. invalid: the item breaks a rule of this page, see error',
          }),
        ),
        error: ItemError,
      }),
    ),
  },
  {
    description: 'Stored, except for what is refused. The results are in the order of the items',
    'x-examples': {
      one: {
        summary: 'One',
        value: {
          accepted: 1,
          duplicates: 0,
          refused: 0,
          results: [{ template_id: TEMPLATE, outcome: 'accepted' }],
        },
      },
      batch: {
        summary: 'Several, the first of them for the second time',
        value: {
          accepted: 0,
          duplicates: 1,
          refused: 1,
          results: [
            { template_id: TEMPLATE, outcome: 'duplicate' },
            { template_id: TEMPLATE, outcome: 'refused', reason: 'rejected' },
          ],
        },
      },
    },
  },
)

type Result = Type.Static<typeof Answer>['results'][number]

const readItems = itemReader(Item)

/** POST /v1/subscriptions */
export function subscriptionRoutes(deps: {
  dbOf: DatabaseOf
  accountOf: AccountOf
  callers: Callers
  log: Logger
  now(): number
  /** Is told what came of the items of a request. */
  onReported?(appId: string, outcomes: SubscriptionOutcome[]): void
}): FastifyPluginAsyncTypebox {
  const { dbOf, accountOf, log, now } = deps

  async function report(
    account: Account,
    item: Type.Static<typeof Item>,
    person: Person,
  ): Promise<SubscriptionOutcome> {
    if (takesSubscriptionsOf(account, item.template_id))
      return reportSubscription(dbOf(account.appId), toReport(account.appId, item, person), now())
    const error = errorShape(unknownTemplate(account, item.template_id))
    return { outcome: 'refused', reason: 'unknown_template', error }
  }

  return async (app) => {
    app.post(
      '/v1/subscriptions',
      {
        onRequest: deps.callers.backendOrSession('upload'),
        preParsing: limitSessionBody,
        bodyLimit: BATCH_BODY_BYTES,
        schema: {
          operationId: 'reportSubscriptions',
          summary: 'Report what wx.requestSubscribeMessage answered',
          description:
            'One accept is one permit of that template, which does not expire. WeChat also reports the tap in an event: the two count once. Taken are the template of the reminder and those of TEMPLATES; among several items, one of another template is refused by itself. With a session, leave out open_id and user_id; up to 20 items.',
          tags: ['permits'],
          security: bothCallers('upload'),
          body: oneOrBatch(Item, MAX_ITEMS, EXAMPLES),
          response: {
            201: Answer,
            ...errorsOf(...CALLER_ERRORS, ...BODY_ERRORS, 'unknown_template', ...DATABASE_ERRORS),
          },
        },
      },
      async (request, reply) => {
        const account = accountOf(request)
        const items = readItems(request.body)
        if (!('items' in request.body) && !takesSubscriptionsOf(account, request.body.template_id))
          throw unknownTemplate(account, request.body.template_id)
        const named = await personsOf(dbOf(account.appId), account, callerOf(request), items, now())
        const outcomes: SubscriptionOutcome[] = []
        for (const { item, person } of named.good) outcomes.push(await report(account, item, person))
        const reports = outcomes.map(({ outcome }, i) => ({ userId: named.good[i]?.person.userId, outcome }))
        logSubscriptions(log, { trace_id: request.id, app_id: account.appId }, reports)
        deps.onReported?.(account.appId, outcomes)
        return reply.status(201).send(toAnswer(named, outcomes))
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
  named: Items<{ item: Type.Static<typeof Item> }>,
  outcomes: SubscriptionOutcome[],
): Type.Static<typeof Answer> {
  const answers = outcomes.map((outcome, i): Result => {
    const { template_id } = named.good[i]?.item ?? {}
    return { ...(template_id === undefined ? {} : { template_id }), ...outcome }
  })
  const results = named.merge(answers, (error) => ({
    outcome: 'refused',
    reason: 'invalid',
    error: errorShape(error),
  }))
  const count = (outcome: SubscriptionOutcome['outcome']) =>
    results.filter((one) => one.outcome === outcome).length
  return { accepted: count('accepted'), duplicates: count('duplicate'), refused: count('refused'), results }
}
