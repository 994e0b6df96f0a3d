import { type TSchema, Type } from 'typebox'
import { EXAMPLE, UserId } from '../http/schemas.js'
import { EXAMPLE_MESSAGE, StateSchema, TEMPLATE } from './schemas.js'

/** How a submitted message stands, as JSON. The functions that read it return these types. */

const Time = Type.String({ format: 'date-time', description: 'In UTC' })
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const Attempt = Type.Object({
  at: Time,
  outcome: Type.String({ description: 'accepted, refused, unreachable, ambiguous or interrupted' }),
  answer: nullable(
    Type.Object({
      errcode: Type.Integer(),
      name: Type.String(),
      meaning: Type.String(),
      meaning_zh: Type.String(),
    }),
  ),
  errmsg: nullable(Type.String()),
  rid: nullable(Type.String({ description: "For WeChat's support" })),
  msgid: nullable(Type.String()),
  permit_id: nullable(Type.Integer()),
})
export type SubmittedAttempt = Type.Static<typeof Attempt>

const MESSAGE = {
  id: Type.Integer(),
  trace_id: Type.String({ description: 'Of its lines in the log' }),
  state: StateSchema,
  meaning: Type.String({ description: 'What the state means, and what to do' }),
  meaning_zh: Type.String(),
  user_id: UserId,
  channel: Type.String(),
  template_id: Type.String(),
  data: Type.Record(Type.String(), Type.String()),
  page: Type.String(),
  not_before_at: Time,
  not_after_at: Time,
  next_attempt_at: nullable(Time),
  permit_id: nullable(Type.Integer({ description: 'The permit that it holds or spent' })),
  attempts: Type.Array(Attempt, { description: 'Each request that was made, in order' }),
  maybe_sent: Type.Boolean({
    description: 'An attempt may have reached WeChat, and its answer is not known',
  }),
  msgid: nullable(Type.String()),
  delivery_status: nullable(Type.String({ description: "From WeChat's event" })),
  requeues: Type.Integer({ description: 'How often it was queued again' }),
  submitted_by: Type.String({ description: 'The name of the API key' }),
  created_at: Time,
  settled_at: nullable(Time),
}

const SUBMITTED_AT = '2026-11-21T02:00:00.000Z'
const DELIVERED_AT = '2026-11-21T02:00:01.000Z'
const example = {
  id: 1,
  trace_id: 'message-1',
  state: 'delivered' as const,
  meaning: 'WeChat accepted it.',
  meaning_zh: '微信已接收。',
  user_id: EXAMPLE.user.user_id,
  channel: 'form_id',
  template_id: TEMPLATE,
  data: EXAMPLE_MESSAGE.data,
  page: 'pages/parcel/index',
  not_before_at: SUBMITTED_AT,
  not_after_at: '2026-11-22T02:00:00.000Z',
  next_attempt_at: null,
  permit_id: 1,
  attempts: [
    {
      at: DELIVERED_AT,
      outcome: 'accepted',
      answer: null,
      errmsg: null,
      rid: null,
      msgid: null,
      permit_id: 1,
    },
  ],
  maybe_sent: false,
  msgid: null,
  delivery_status: null,
  requeues: 0,
  submitted_by: 'shop',
  created_at: SUBMITTED_AT,
  settled_at: DELIVERED_AT,
}

const Message = Type.Object(MESSAGE)
export type SubmittedMessage = Type.Static<typeof Message>

export const MessageAnswer = Type.Object(MESSAGE, { description: 'How it stands', examples: [example] })

export const PageAnswer = Type.Object(
  {
    items: Type.Array(Message),
    next: nullable(
      Type.String({
        description:
          'Give it as `before` to get the next page, which may have fewer messages than asked for; null: there is none',
      }),
    ),
  },
  { description: 'A page of the list', examples: [{ items: [example], next: null }] },
)
export type SubmittedPage = Type.Static<typeof PageAnswer>
