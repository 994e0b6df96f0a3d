import { type Static, type TSchema, Type } from 'typebox'
import { IsoDate, OpenId, UserId } from '../http/schemas.js'
import * as example from './examples.js'

/** What is on record about one user, as JSON. The functions that read it return these types. */

const Time = Type.String({
  format: 'date-time',
  description: 'In UTC',
  examples: ['2026-11-20T02:00:00.000Z'],
})
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/** What WeChat answered, in the words of the error table. */
export const ErrcodeSchema = Type.Object({
  errcode: Type.Integer({ examples: [43101] }),
  name: Type.String(),
  meaning: Type.String(),
  meaning_zh: Type.String(),
})
export type Errcode = Static<typeof ErrcodeSchema>

/** A list, the newest first, and where its next page begins. */
const pageOf = <T extends TSchema>(item: T) => ({
  items: Type.Array(item),
  next: nullable(
    Type.String({ description: 'Give it as `before` to get the next page; null: there is none' }),
  ),
})

const page = (shown: object) => ({ description: 'A page of the list', examples: [shown] })

export const PermitSchema = Type.Object({
  id: Type.Integer(),
  open_id: Type.String(),
  form_id: Type.String({ description: 'The form_id or prepay_id, or our name of a subscription' }),
  use_no: Type.Integer({ description: '1 to 3 of a prepay_id' }),
  source: Type.String({ description: 'form, pay or subscribe' }),
  template_id: nullable(Type.String({ description: 'Of a subscription' })),
  page: nullable(Type.String()),
  status: Type.String({ description: 'unspent, spent or expired' }),
  expires_at: nullable(Time),
  message_id: nullable(Type.Integer({ description: 'The message that spent it' })),
  spoiled_by: nullable(ErrcodeSchema),
  created_at: nullable(Time),
})
export type Permit = Static<typeof PermitSchema>
export const PermitPageSchema = Type.Object(pageOf(PermitSchema), page(example.PERMIT_PAGE))
export type PermitPage = Static<typeof PermitPageSchema>

const PermitGroupSchema = Type.Object({
  source: Type.String({ description: 'form, pay or subscribe' }),
  template_id: nullable(Type.String()),
  expires_on: nullable(IsoDate),
  permits: Type.Integer(),
})
export type PermitGroup = Static<typeof PermitGroupSchema>

const PermitsSchema = Type.Object({
  ...pageOf(PermitSchema),
  unspent: Type.Integer(),
  spent: Type.Integer(),
  expired: Type.Integer(),
  all_counted: Type.Boolean({
    description:
      'false: the user has more than 10,000 permits on record, and the youngest 10,000 are counted',
  }),
  groups: Type.Array(PermitGroupSchema, {
    description:
      'Unspent permits by source, template and the day on which they run out, in the zone of the account; expires_on null: never',
  }),
})

export const SignInDaySchema = Type.Object({
  date: IsoDate,
  streak: Type.Integer({ description: 'Days in a row up to this one' }),
  created_at: Time,
})
export const SignInPageSchema = Type.Object(pageOf(SignInDaySchema), page(example.SIGN_IN_PAGE))
export type SignInPage = Static<typeof SignInPageSchema>

const AttemptSchema = Type.Object({
  permit_id: nullable(Type.Integer()),
  answer: nullable(ErrcodeSchema),
  rid: nullable(Type.String()),
  at: Time,
})
export type Attempt = Static<typeof AttemptSchema>

export const MessageSchema = Type.Object({
  id: Type.Integer(),
  trace_id: Type.String({ description: 'Of its lines in the log' }),
  kind: Type.String({ description: 'reminder or api' }),
  date: nullable(IsoDate),
  state: Type.String({ description: 'queued, sending, retry, delivered, failed, unknown or cancelled' }),
  channel: Type.String(),
  template_id: Type.String(),
  page: Type.String(),
  texts: Type.Record(Type.String(), Type.String(), { description: 'What it says, by key of the template' }),
  open_id: nullable(Type.String()),
  permit_id: nullable(Type.Integer()),
  run_id: nullable(Type.Integer()),
  attempts: Type.Integer({ description: 'Requests made for it' }),
  attempts_on_record: Type.Array(AttemptSchema, {
    description:
      'Each attempt that met a spoiled permit, and the last one. An answer that a later attempt with the same permit replaced is not kept: attempts says how many there were',
  }),
  answer: nullable(ErrcodeSchema),
  errmsg: nullable(Type.String()),
  rid: nullable(Type.String({ description: "For WeChat's support" })),
  msgid: nullable(Type.String()),
  maybe_sent: Type.Boolean({
    description: 'An attempt may have reached WeChat, and its answer is not known',
  }),
  delivery_status: nullable(Type.String({ description: "From WeChat's event" })),
  next_attempt_at: nullable(Time),
  created_at: Time,
  settled_at: nullable(Time),
})
export type Message = Static<typeof MessageSchema>
export const MessagePageSchema = Type.Object(pageOf(MessageSchema), page(example.MESSAGE_PAGE))
export type MessagePage = Static<typeof MessagePageSchema>

const StopSchema = Type.Object({
  open_id: Type.String(),
  kind: Type.String({ description: 'opted_out: by the wish or refusal of the person; blocked: by WeChat' }),
  since_at: Time,
  template_id: nullable(
    Type.String({ description: 'The template that the person refused; null: all messages are stopped' }),
  ),
  answer: nullable(ErrcodeSchema),
  message_id: nullable(Type.Integer({ description: 'The message whose refusal recorded it' })),
})
export type Stop = Static<typeof StopSchema>

const PersonSchema = Type.Object({
  open_id: OpenId,
  union_id: nullable(Type.String()),
  known_since_at: nullable(Time),
})

export const UserDetailSchema = Type.Object(
  {
    user_id: UserId,
    open_ids: Type.Array(PersonSchema, { description: 'Bound to the user now; at most 100' }),
    counter: nullable(
      Type.Object({
        count: Type.Integer({ description: 'Permits left' }),
        last_date: nullable(IsoDate),
      }),
    ),
    stops: Type.Array(StopSchema, { description: 'What keeps messages from the user now' }),
    permits: PermitsSchema,
    sign_ins: Type.Object({
      ...pageOf(SignInDaySchema),
      signed_in: Type.Boolean({ description: 'Today, in the zone of the account' }),
      streak: Type.Integer({ description: 'Days in a row up to today; 0 if not signed in today' }),
      streak_before: Type.Integer({ description: 'Days in a row up to yesterday' }),
    }),
    messages: MessagePageSchema,
  },
  { description: 'What is on record', examples: [example.USER_DETAIL] },
)
export type UserDetail = Static<typeof UserDetailSchema>
