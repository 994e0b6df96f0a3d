import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Knex } from 'knex'
import { Type } from 'typebox'
import { ServiceError } from '../errors.js'
import { BATCH_BODY_BYTES, limitSessionBody } from '../http/body-limits.js'
import { type Caller, type Callers, callerOf } from '../http/callers.js'
import { ErrorBody } from '../http/errors.js'
import { BOTH_CALLERS, itemsOf, OpenId, oneOrBatch, UserId } from '../http/schemas.js'
import type { Logger } from '../lib/logger.js'
import { type Person, personsOf } from '../users/persons.js'
import type { Numbering } from '../users/user-ids.js'
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

type UploadItem = Type.Static<typeof Item>

const UploadAnswer = Type.Object({
  accepted: Type.Integer(),
  duplicates: Type.Integer(),
  rejected: Type.Integer(),
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
})

/** POST /v1/form-ids */
export function permitRoutes(deps: {
  db: Knex
  account: Numbering
  ingest: Ingest
  callers: Callers
  log: Logger
  now(): number
}): FastifyPluginAsyncTypebox {
  const { db, account, ingest, log, now } = deps
  return async (app) => {
    app.post(
      '/v1/form-ids',
      {
        onRequest: deps.callers.backendOrSession,
        preParsing: limitSessionBody,
        bodyLimit: BATCH_BODY_BYTES,
        schema: {
          summary: 'Upload form_ids',
          description:
            'Answers once they are stored. Sending one again changes nothing. An item with prepay_id is a payment: three permits, spent no earlier than 10 s after it. With a session, leave out open_id and user_id; up to 20 items.',
          tags: ['permits'],
          security: BOTH_CALLERS,
          body: oneOrBatch(Item, MAX_ITEMS),
          response: { 201: UploadAnswer, '4xx': ErrorBody, '5xx': ErrorBody },
        },
      },
      async (request, reply) => {
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
