import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Authenticate } from '../http/api-key.js'
import { ErrorBody } from '../http/errors.js'
import { OpenId, UserId } from '../http/schemas.js'
import type { UploadedPermit } from './accept.js'
import type { Ingest, UploadOutcome } from './ingest.js'

const MAX_ITEMS = 1_000

const Item = Type.Object(
  {
    open_id: OpenId,
    user_id: UserId,
    form_id: Type.Union([Type.String({ maxLength: 1_000 }), Type.Null()], {
      description: 'event.detail.formId of a <form report-submit>, as it came',
    }),
    page: Type.Optional(Type.String({ maxLength: 255, description: 'The page that the form is on' })),
    submitted_at: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'When the user submitted, in ms since 1970; a later one than now counts as now',
      }),
    ),
  },
  { additionalProperties: false },
)

const Batch = Type.Object(
  { items: Type.Array(Item, { minItems: 1, maxItems: MAX_ITEMS }) },
  { additionalProperties: false },
)

/** One item or a batch, as conditions and not as anyOf: so a fault is told of the shape that was meant. */
const Upload = Type.Unsafe<UploadItem | { items: UploadItem[] }>({
  type: 'object',
  allOf: [
    { if: { required: ['items'] }, else: Item },
    { if: { not: { required: ['items'] } }, else: Batch },
  ],
})

type UploadItem = Type.Static<typeof Item>

const UploadAnswer = Type.Object({
  accepted: Type.Integer(),
  duplicates: Type.Integer(),
  rejected: Type.Integer(),
  results: Type.Array(
    Type.Object({
      form_id: Type.Union([Type.String(), Type.Null()]),
      outcome: Type.String({ description: 'accepted, duplicate or rejected' }),
      reason: Type.Optional(Type.String({ description: 'Why a rejected one is no permit' })),
    }),
  ),
})

/** POST /v1/form-ids */
export function permitRoutes(deps: {
  appId: string
  ingest: Ingest
  authenticate: Authenticate
  now(): number
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/v1/form-ids',
      {
        onRequest: async (request) => {
          deps.authenticate(request)
        },
        schema: {
          summary: 'Upload form_ids',
          description: 'Answers after they are stored. Sending one again changes nothing.',
          tags: ['permits'],
          security: [{ apiKey: [] }],
          body: Upload,
          response: { 201: UploadAnswer, '4xx': ErrorBody, '5xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const items = 'items' in request.body ? request.body.items : [request.body]
        const outcomes = await deps.ingest.upload(
          items.map((item) => toUpload(deps.appId, item)),
          deps.now(),
        )
        return reply.status(201).send(toAnswer(items, outcomes))
      },
    )
  }
}

function toUpload(appId: string, item: UploadItem): UploadedPermit {
  return {
    appId,
    openId: item.open_id,
    userId: item.user_id,
    formId: item.form_id,
    source: 'form',
    page: item.page,
    submittedAt: item.submitted_at,
  }
}

function toAnswer(items: UploadItem[], outcomes: UploadOutcome[]): Type.Static<typeof UploadAnswer> {
  const count = (outcome: UploadOutcome['outcome']): number =>
    outcomes.filter((o) => o.outcome === outcome).length
  return {
    accepted: count('accepted'),
    duplicates: count('duplicate'),
    rejected: count('rejected'),
    results: outcomes.map((outcome, i) => ({ form_id: items[i]?.form_id ?? null, ...outcome })),
  }
}
