import { type TSchema, Type } from 'typebox'

/** A delivery as JSON. The functions that read it return these types. */

export const DELIVERY_STATES = ['waiting', 'delivered', 'failed'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

export const DeliveryStateSchema = Type.Unsafe<DeliveryState>({
  type: 'string',
  enum: [...DELIVERY_STATES],
  description: 'delivered: the webhook answered 2xx. failed: given up. waiting: in between',
})

const Time = Type.String({ format: 'date-time', description: 'In UTC' })
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const DELIVERY = {
  id: Type.Integer(),
  webhook_id: Type.String({ description: 'The header `webhook-id` of its requests' }),
  type: Type.String({ description: '`message.` and the state that the message reached, or `reported`' }),
  message_id: Type.Integer(),
  state: DeliveryStateSchema,
  attempts: Type.Integer({ description: 'Requests that were begun' }),
  http_status: nullable(Type.Integer({ description: 'Of the last answer' })),
  error: nullable(Type.String({ description: 'Why the last request got no answer' })),
  next_attempt_at: nullable(Time),
  created_at: Time,
  ended_at: nullable(Time),
}

const example = {
  id: 1,
  webhook_id: 'event-1-1795226401000',
  type: `message.${DELIVERY_STATES[1]}`,
  message_id: 1,
  state: 'delivered' as const,
  attempts: 1,
  http_status: 204,
  error: null,
  next_attempt_at: null,
  created_at: '2026-11-21T02:00:01.000Z',
  ended_at: '2026-11-21T02:00:02.000Z',
}

const DeliveryShape = Type.Object(DELIVERY)
export type Delivery = Type.Static<typeof DeliveryShape>

export const DeliveryAnswer = Type.Object(DELIVERY, { description: 'How it stands', examples: [example] })

export const DeliveryPageAnswer = Type.Object(
  {
    items: Type.Array(DeliveryShape),
    next: nullable(
      Type.String({ description: 'Give it as `before` to get the next page; null: there is none' }),
    ),
  },
  { description: 'A page of the log', examples: [{ items: [example], next: null }] },
)
export type DeliveryPage = Type.Static<typeof DeliveryPageAnswer>
