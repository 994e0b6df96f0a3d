import { type TSchema, Type } from 'typebox'
import { oneOrBatch } from '../http/batch.js'
import { ErrorShape } from '../http/errors.js'
import { EXAMPLE, Milliseconds, OpenId, UserId } from '../http/schemas.js'

/** What POST /v1/messages takes. */

export const MAX_ITEMS = 1_000
const MAX_KEYS = 20
const MAX_TEXT = 1_000

/** One message. */
export const Item = Type.Object(
  {
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
    page: Type.Optional(
      Type.String({
        maxLength: 255,
        description:
          'What a tap opens, such as pages/parcel/index; left out: nothing. On a service account a page of the mini-program of its reminder, or a web address; left out: what its reminder opens',
      }),
    ),
    not_before: Type.Optional(Milliseconds('Not sent before this time, in ms since 1970; left out: at once')),
    not_after: Type.Optional(
      Milliseconds('Not sent from this time on, in ms since 1970; left out: a day after not_before'),
    ),
  },
  // WeChat's names for what a tap opens.
  { additionalProperties: false, 'x-meant': { url: 'page', miniprogram: 'page', pagepath: 'page' } },
)
export type Item = Type.Static<typeof Item>

export const TEMPLATE = 'TEMPLATE-ID-OF-YOUR-ACCOUNT'
export const EXAMPLE_MESSAGE: Item = {
  user_id: EXAMPLE.user.user_id,
  template_id: TEMPLATE,
  data: { keyword1: '您的包裹已到驿站', keyword2: '取件码 8-2-1024', keyword4: '2026.11.21' },
  page: 'pages/parcel/index',
}
export const Body = oneOrBatch(Item, MAX_ITEMS, {
  one: EXAMPLE_MESSAGE,
  batch: [EXAMPLE_MESSAGE, { ...EXAMPLE_MESSAGE, user_id: EXAMPLE.other.user_id, page: '' }],
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

const Refused = Type.Object({ error: ErrorShape })
export type Refused = Type.Static<typeof Refused>

/** The answer to a batch, in the order of its messages. */
export type Results = { results: (Accepted | Refused)[] }

const optional = <Properties extends Record<string, TSchema>>(properties: Properties) =>
  Type.Partial(Type.Object(properties))

const ResultsSchema = Type.Object({
  results: Type.Array(Type.Union([Accepted, Refused]), {
    description: 'Of a batch: one for each message, in their order. Those with an error are not stored',
  }),
})

export const SubmitAnswer = Type.Unsafe<Accepted | Results>({
  ...optional({
    ...Accepted.properties,
    results: Type.Array(optional({ ...Accepted.properties, ...Refused.properties })),
  }),
  'x-described': { anyOf: [Accepted, ResultsSchema] },
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
