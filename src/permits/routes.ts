import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import type { AccountOf } from '../http/account-of.js'
import { BATCH_BODY_BYTES, limitSessionBody } from '../http/body-limits.js'
import { type Caller, type Callers, callerOf } from '../http/callers.js'
import { BODY_ERRORS, CALLER_ERRORS, DATABASE_ERRORS, errorsOf } from '../http/error-responses.js'
import { bothCallers, EXAMPLE, itemsOf, OpenId, oneOrBatch, UserId } from '../http/schemas.js'
import type { Logger } from '../lib/logger.js'
import { type Person, personsOf } from '../users/persons.js'
import { MAX_UNSPENT_PERMITS, REJECTION_REASONS, type UploadedPermit } from './accept.js'
import type { UploadOutcome } from './commit-uploads.js'
import type { Ingest } from './ingest.js'
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
      Type.Integer({
        minimum: 0,
        description: 'When the user submitted or paid, in ms since 1970; a time in the future counts as now',
      }),
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
            description: `Why a rejected one is not a permit: ${REJECTION_REASONS.join(', ')}. too_many: the user has ${MAX_UNSPENT_PERMITS} unspent permits`,
          }),
        ),
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

/** POST /v1/form-ids */
export function permitRoutes(deps: {
  db: Knex
  accountOf: AccountOf
  ingest: Ingest
  callers: Callers
  log: Logger
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, accountOf, ingest, log, now } = deps
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
          response: { 201: UploadAnswer, ...errorsOf(...CALLER_ERRORS, ...BODY_ERRORS, ...DATABASE_ERRORS) },
        },
      },
      async (request, reply) => {
        const account = accountOf(request)
        const body = itemsOf(request.body)
        const { items } = body
        const caller = callerOf(request)
        const persons = await personsOf(db, account, caller, body, now())
        checkPermits(caller, body)
        const uploads = items.flatMap((item, i) => toUpload(account.appId, item, persons[i]))
        const answer = toAnswer(items, await ingest.upload(uploads, now()))
        logUpload(log, request.id, answer.results)
        return reply.status(201).send(answer)
      },
    )
  }
}

/**
 * Each item has one of the two. A client could make up payments: only a backend knows which ones succeeded.
 */
function checkPermits(
  caller: Caller,
  { items, pathOf }: { items: UploadItem[]; pathOf(i: number): string },
): void {
  for (const [i, { form_id, prepay_id }] of items.entries()) {
    const refuse = (name: string, fault: string) =>
      new ServiceError('invalid_request', `${pathOf(i)}${name}: ${fault}`, { field: pathOf(i) + name })
    if (prepay_id === undefined) {
      if (form_id === undefined) throw refuse('form_id', 'is missing')
      continue
    }
    if (form_id !== undefined) throw refuse('prepay_id', 'must be left out when there is a form_id')
    if (caller.kind === 'session')
      throw refuse('prepay_id', 'must be left out: your backend reports payments, with an API key')
  }
}

function toUpload(appId: string, item: UploadItem, person: Person | undefined): UploadedPermit[] {
  if (!person) return []
  const isPayment = item.prepay_id !== undefined
  return [
    {
      appId,
      ...person,
      formId: (isPayment ? item.prepay_id : item.form_id) ?? null,
      source: isPayment ? 'pay' : 'form',
      page: item.page,
      submittedAt: item.submitted_at,
    },
  ]
}

function toAnswer(items: UploadItem[], outcomes: UploadOutcome[]): Type.Static<typeof UploadAnswer> {
  const count = (outcome: UploadOutcome['outcome']): number =>
    outcomes.filter((o) => o.outcome === outcome).length
  return {
    accepted: count('accepted'),
    duplicates: count('duplicate'),
    rejected: count('rejected'),
    results: outcomes.map((outcome, i) => {
      const { form_id, prepay_id } = items[i] ?? {}
      return { ...(prepay_id === undefined ? { form_id: form_id ?? null } : { prepay_id }), ...outcome }
    }),
  }
}
