import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { DatabaseOf } from '../db/share.js'
import { ServiceError } from '../errors.js'
import type { AccountOf } from '../http/account-of.js'
import { ItemError, type Items, itemReader, oneOrBatch } from '../http/batch.js'
import { BATCH_BODY_BYTES, limitSessionBody } from '../http/body-limits.js'
import { type Caller, type Callers, callerOf } from '../http/callers.js'
import { BODY_ERRORS, CALLER_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { errorShape } from '../http/errors.js'
import { bothCallers, EXAMPLE, Milliseconds, OpenId, UserId } from '../http/schemas.js'
import type { Logger } from '../lib/logger.js'
import { type Person, personsOf } from '../users/persons.js'
import { MAX_UNSPENT_PERMITS, REJECTION_REASONS, type UploadedPermit } from './accept.js'
import type { UploadOutcome } from './decide-uploads.js'
import type { Ingest } from './ingest.js'
import { takesFormIds, unusedFormId } from './known-templates.js'
import { logUpload } from './upload-log.js'

const MAX_ITEMS = 1_000

const PermitText = (description: string) =>
  Type.Optional(Type.Union([Type.String({ maxLength: 1_000 }), Type.Null()], { description }))

const Item = Type.Object(
  {
    open_id: Type.Optional(OpenId),
    user_id: Type.Optional(UserId),
    form_id: PermitText('event.detail.formId of a <form report-submit>, unchanged'),
    prepay_id: PermitText('Instead of form_id: the prepay_id of a successful payment. With an API key only'),
    page: Type.Optional(Type.String({ maxLength: 255, description: 'The page that the form is on' })),
    submitted_at: Type.Optional(
      Milliseconds('When the user submitted or paid, in ms since 1970; a time in the future counts as now'),
    ),
  },
  { additionalProperties: false },
)

const EXAMPLES = {
  one: { ...EXAMPLE.user, form_id: EXAMPLE.formId, page: 'pages/sign-in/index' },
  batch: [
    { ...EXAMPLE.user, form_id: EXAMPLE.formId },
    { ...EXAMPLE.other, form_id: 'the formId is a mock one' },
  ],
}

type UploadItem = Type.Static<typeof Item>

const readItems = itemReader(Item)

const UploadAnswer = Type.Object(
  {
    accepted: Type.Integer({ description: 'Stored now' }),
    duplicates: Type.Integer({ description: 'Stored before, by the same user' }),
    rejected: Type.Integer({ description: 'Not stored, each with a reason' }),
    results: Type.Array(
      Type.Object({
        form_id: PermitText('As it was sent'),
        prepay_id: PermitText('As it was sent'),
        outcome: Type.String({ description: 'accepted, duplicate or rejected' }),
        reason: Type.Optional(
          Type.String({
            description: `Why a rejected one is not a permit: ${REJECTION_REASONS.join(', ')}. too_many: the user has ${MAX_UNSPENT_PERMITS} unspent permits. invalid: the item breaks a rule of this page, see error`,
          }),
        ),
        error: ItemError,
      }),
    ),
  },
  {
    description: 'Stored, except for what is rejected. The results are in the order of the items',
    'x-examples': {
      one: {
        summary: 'One',
        value: {
          accepted: 1,
          duplicates: 0,
          rejected: 0,
          results: [{ form_id: EXAMPLE.formId, outcome: 'accepted' }],
        },
      },
      batch: {
        summary: 'Several, the first of them for the second time',
        value: {
          accepted: 0,
          duplicates: 1,
          rejected: 1,
          results: [
            { form_id: EXAMPLE.formId, outcome: 'duplicate' },
            { form_id: 'the formId is a mock one', outcome: 'rejected', reason: 'mock' },
          ],
        },
      },
    },
  },
)

type UploadResult = Type.Static<typeof UploadAnswer>['results'][number]

/** POST /v1/form-ids */
export function permitRoutes(deps: {
  dbOf: DatabaseOf
  accountOf: AccountOf
  /** Each account has its own: the uploads of one wait for no other. */
  ingestOf(appId: string): Ingest
  callers: Callers
  log: Logger
  now(): number
}): FastifyPluginAsyncTypebox {
  const { dbOf, accountOf, ingestOf, log, now } = deps
  return async (app) => {
    app.post(
      '/v1/form-ids',
      {
        onRequest: deps.callers.backendOrSession('upload'),
        preParsing: limitSessionBody,
        bodyLimit: BATCH_BODY_BYTES,
        schema: {
          operationId: 'uploadFormIds',
          summary: 'Upload form_ids',
          description:
            'Answers once they are stored. Sending one again changes nothing. An item with prepay_id is a payment: three permits, spent no earlier than 10 s after it. With a session, leave out open_id and user_id; up to 20 items.',
          tags: ['permits'],
          security: bothCallers('upload'),
          body: oneOrBatch(Item, MAX_ITEMS, EXAMPLES),
          response: {
            201: UploadAnswer,
            ...errorsOf(...CALLER_ERRORS, ...BODY_ERRORS, ...DATABASE_ERRORS, 'unknown_template'),
          },
        },
      },
      async (request, reply) => {
        const account = accountOf(request)
        const caller = callerOf(request)
        const items = readItems(request.body).map((item, pathOf) => {
          checkPermit(caller, item, pathOf)
          if (!takesFormIds(account)) throw unusedFormId(account, item, pathOf)
          return item
        })
        const named = await personsOf(dbOf(account.appId), account, caller, items, now())
        const uploads = named.good.map(({ item, person }) => toUpload(account.appId, item, person))
        const answer = toAnswer(named, await ingestOf(account.appId).upload(uploads, now()))
        logUpload(log, { trace_id: request.id, app_id: account.appId }, answer.results)
        return reply.status(201).send(answer)
      },
    )
  }
}

/**
 * Each item has one of the two. A client could make up payments: only a backend knows which ones succeeded.
 */
function checkPermit(
  caller: Caller,
  { form_id, prepay_id }: UploadItem,
  pathOf: (field: string) => string,
): void {
  const refuse = (name: string, fault: string) =>
    new ServiceError('invalid_request', `${pathOf(name)}: ${fault}`, { field: pathOf(name) })
  if (prepay_id === undefined) {
    if (form_id === undefined) throw refuse('form_id', 'is missing')
    return
  }
  if (form_id !== undefined) throw refuse('prepay_id', 'must be left out when there is a form_id')
  if (caller.kind === 'session')
    throw refuse('prepay_id', 'must be left out: your backend reports payments, with an API key')
}

function toUpload(appId: string, item: UploadItem, person: Person): UploadedPermit {
  const isPayment = item.prepay_id !== undefined
  return {
    appId,
    ...person,
    formId: (isPayment ? item.prepay_id : item.form_id) ?? null,
    source: isPayment ? 'pay' : 'form',
    page: item.page,
    submittedAt: item.submitted_at,
  }
}

function toAnswer(
  named: Items<{ item: UploadItem }>,
  outcomes: UploadOutcome[],
): Type.Static<typeof UploadAnswer> {
  const answers = outcomes.map((outcome, i): UploadResult => {
    const { form_id, prepay_id } = named.good[i]?.item ?? {}
    return { ...(prepay_id === undefined ? { form_id: form_id ?? null } : { prepay_id }), ...outcome }
  })
  const results = named.merge(answers, (error) => ({
    outcome: 'rejected',
    reason: 'invalid',
    error: errorShape(error),
  }))
  const count = (outcome: UploadOutcome['outcome']): number =>
    results.filter((one) => one.outcome === outcome).length
  return { accepted: count('accepted'), duplicates: count('duplicate'), rejected: count('rejected'), results }
}
