import { type TSchema, Type } from 'typebox'
import { AppId } from '../http/account-of.js'
import { EXAMPLE, OpenId, UserId } from '../http/schemas.js'

/** What POST /v1/messages takes. */

export const MAX_ITEMS = 1_000
const MAX_KEYS = 20
const MAX_TEXT = 1_000

const Time = (description: string) =>
  Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: `${description}, in ms since 1970`,
    }),
  )

const ITEM = {
  user_id: Type.Optional(UserId),
  open_id: Type.Optional(OpenId),
  template_id: Type.String({
    pattern: '^[\\x21-\\x7e]{1,64}$',
    description: "The reminder's template, or one of the account's templates",
  }),
  data: Type.Unsafe<Record<string, string>>({
    type: 'object',
    minProperties: 1,
    maxProperties: MAX_KEYS,
    propertyNames: { pattern: '^[A-Za-z0-9_.]{1,32}$' },
    additionalProperties: { type: 'string', minLength: 1, maxLength: MAX_TEXT },
    description: 'The text of each key of the template',
  }),
  page: Type.Optional(Type.String({ maxLength: 255, description: 'What a tap opens; left out: nothing' })),
  not_before: Time('Not sent before this time; left out: at once'),
  not_after: Time('Not sent from this time on; left out: a day after not_before'),
}

const STRICT = { additionalProperties: false }

/** One message. */
export const Item = Type.Object(ITEM, STRICT)
export type Item = Type.Static<typeof Item>

export const TEMPLATE = 'TEMPLATE-ID-OF-YOUR-ACCOUNT'
export const EXAMPLE_MESSAGE: Item = {
  user_id: EXAMPLE.user.user_id,
  template_id: TEMPLATE,
  data: { keyword1: '您的包裹已到驿站', keyword2: '取件码 8-2-1024', keyword4: '2026.11.21' },
  page: 'pages/parcel/index',
}
const HAS_ITEMS = { properties: { items: {} }, required: ['items'] }

/**
 * One message, or a batch of one account. The messages of a batch are looked at one by one, so that a bad one does not
 * keep the good ones from being stored.
 */
export const Body = Type.Unsafe<Item | { items: unknown[] }>({
  type: 'object',
  'x-examples': {
    one: { summary: 'One', value: EXAMPLE_MESSAGE },
    batch: {
      summary: 'Several',
      value: { items: [EXAMPLE_MESSAGE, { ...EXAMPLE_MESSAGE, user_id: EXAMPLE.other.user_id, page: '' }] },
    },
  },
  allOf: [
    { if: HAS_ITEMS, else: Type.Object({ ...ITEM, app_id: Type.Optional(AppId) }, STRICT) },
    {
      if: { not: HAS_ITEMS },
      else: Type.Object(
        {
          items: Type.Array(Type.Unsafe({ description: 'A message as it is sent alone' }), {
            minItems: 1,
            maxItems: MAX_ITEMS,
          }),
          app_id: Type.Optional(AppId),
        },
        STRICT,
      ),
    },
  ],
})

export const Headers = Type.Object({
  'idempotency-key': Type.String({
    pattern: '^[\\x21-\\x7e]{1,128}$',
    description:
      'Your name for this request, 1 to 128 printable characters. Sent again with the same body, it gets the same answer and nothing is queued twice',
    examples: ['parcel-20261121-9001'],
  }),
})

export const STATES = [
  'queued',
  'sending',
  'retry',
  'delivered',
  'failed',
  'unknown',
  'cancelled',
  'no_permit',
  'expired',
  'dead',
] as const
export type State = (typeof STATES)[number]

export const StateSchema = Type.Unsafe<State>({
  type: 'string',
  enum: [...STATES],
  description: 'Where the message stands',
})

const Accepted = Type.Object({
  id: Type.Integer({ description: 'Of the message' }),
  state: Type.Unsafe<'queued' | 'no_permit'>({
    type: 'string',
    enum: ['queued', 'no_permit'],
    description: 'no_permit: the user has none that would still be valid; it will not be sent',
  }),
})
export type Accepted = Type.Static<typeof Accepted>

const Refused = Type.Object({
  error: Type.Object({
    code: Type.String(),
    message: Type.String(),
    details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
})
export type Refused = Type.Static<typeof Refused>

/** The answer to a batch, in the order of its messages. */
export type Results = { results: (Accepted | Refused)[] }

const optional = <Properties extends Record<string, TSchema>>(properties: Properties) =>
  Type.Partial(Type.Object(properties))

export const SubmitAnswer = Type.Unsafe<Accepted | Results>({
  ...optional({
    ...Accepted.properties,
    results: Type.Array(optional({ ...Accepted.properties, ...Refused.properties }), {
      description: 'Of a batch: one for each message, in their order. Those with an error are not stored',
    }),
  }),
  description: 'Stored, with the permits reserved. The rest is sent in the background',
  'x-examples': {
    one: { summary: 'One', value: { id: 1, state: 'queued' } },
    batch: {
      summary: 'Several',
      value: {
        results: [
          { id: 2, state: 'queued' },
          { id: 3, state: 'no_permit' },
        ],
      },
    },
  },
})
