import { type TSchema, Type } from 'typebox'
import { IsoDate } from '../http/schemas.js'
import { RUN_LIST, RUN_STATUS } from './status-example.js'

/** How a run is told: over HTTP, by `status --json` and on pages. */

const nullable = <Schema extends TSchema>(schema: Schema, description: string) =>
  Type.Union([schema, Type.Null()], { description })
const Count = (description: string) => Type.Integer({ description })
const Time = (description: string) => nullable(Type.String({ format: 'date-time' }), description)
const Text = (description: string) => nullable(Type.String(), description)

const Skipped = Type.Object(
  {
    signed_in: nullable(Type.Integer(), 'Had a permit left, and had signed in'),
    no_permit: nullable(Type.Integer(), 'Had no permit. null on a service account, which needs none'),
    no_valid_permit: nullable(
      Type.Integer(),
      'Had permits, but none that could still be spent. null on a service account',
    ),
    opted_out: nullable(Type.Integer(), 'Had a permit left, and had opted out'),
    blocked: nullable(Type.Integer(), 'Had a permit left, and could not be reached'),
    as_of: Time('When they were summed up: whenever a process leaves the run. null: not yet'),
  },
  { description: 'Users whom the run passed over, each by the first cause that was found' },
)

export const RunErrorSchema = Type.Object({
  errcode: nullable(Type.Integer(), "WeChat's code; null if there was none"),
  name: Type.String({ description: 'Name of the code, or why there was none' }),
  class: Type.String({ description: 'Class of the code, which decides what follows from it' }),
  finding: Text('Name of the known error that it is, see docs/troubleshooting.md; null: none of them'),
  meaning: Type.String(),
  meaning_zh: Type.String(),
  what_to_do: Type.String(),
  what_to_do_zh: Type.String(),
  fix: Text('What mends this known error; null: see what_to_do'),
  fix_zh: Text('The same in Chinese'),
  template_id: Type.String(),
  outcome: Type.String({
    description:
      'failed, unknown, cancelled: messages in that state now. retried, next_permit: attempts after which the message was tried again, or went on with the next permit',
  }),
  count: Type.Integer(),
  first_seen_at: Time('null: not known'),
  last_seen_at: Time('null: not known'),
  sample_rids: Type.Array(Type.String(), { description: "WeChat's ids of requests, for their support" }),
  sample_message_ids: Type.Array(Type.Integer()),
})

const summary = {
  date: IsoDate,
  run_id: nullable(Type.Integer(), 'null: there is no run of that day'),
  state: Type.String({
    description: 'not_started, running, done, halted, paused, limited, window_closed, missed',
  }),
  reason: Text('Why it stands so'),
  reason_zh: Text('The same in Chinese'),
  remedy: Text('What to do; null: nothing'),
  remedy_zh: Text('The same in Chinese'),
  triggered_by: Text('cron, catch-up or manual'),
  started_at: Time('When it was started last'),
  finished_at: Time('null: it has not ended'),
  updated_at: Time('When its row was changed last'),
  planned: nullable(Type.Integer(), 'Users expected when it was opened; null: not known'),
  due: nullable(Type.Integer(), 'Users who were due, as counted when it ended; null: it is running'),
  claimed: Count('Messages claimed so far, those given back included'),
  delivered: Count('WeChat accepted them'),
  failed: Count('Refused; not delivered'),
  unknown: Count('May have been delivered'),
  retrying: Count('Wait for another attempt'),
  cancelled: Count('Given back, or withdrawn for another attempt with the next permit'),
  in_hand: Count('In the hands of processes'),
  skipped: Skipped,
  errors: Type.Array(RunErrorSchema, { description: 'By code and outcome, the most frequent first' }),
  delivery_status: Type.Record(Type.String(), Type.Integer(), {
    description: "Messages by what WeChat's events said of their delivery; form_id has no such events",
  }),
}

export const RunSummarySchema = Type.Object(summary)

const Open = Type.Object(
  {
    in_hand: Count('Held by processes, or by one that has just died'),
    in_hand_until: Time('When any process may take these over if nobody renews the lease'),
    lapsed: Count('Left by a process that died, to be taken over now'),
    retries_due: Count('To be retried now'),
    retries_later: Count('To be retried later'),
    next_retry_at: Time('The first of these'),
  },
  { description: 'Messages of the account that are not settled' },
)

const Quota = Type.Object(
  {
    path: Type.String({ description: "WeChat's path that takes the messages" }),
    daily_limit: Type.Integer({ description: 'Calls a day' }),
    left: Type.Integer({
      description: 'Calls left now: as WeChat told, less what has gone out since',
    }),
    reserved: Type.Integer({
      description: "Kept for today's reminders, before messages of backends",
    }),
    asked_at: Type.String({
      format: 'date-time',
      description: 'When WeChat told it; on another day, left is a whole daily limit less what went out',
    }),
    enough: Type.Boolean({ description: 'Whether the reminders of today fit into what is left' }),
    note: Text('What follows if they do not'),
    note_zh: Text('The same in Chinese'),
  },
  { description: "WeChat's quota of the send path on this day" },
)

export const RunStatusSchema = Type.Object(
  {
    ...summary,
    next_firing_at: Time('When it is due to start; null: it has started, or will not'),
    progress: nullable(Type.Number(), 'Share of the users that it has read, 0 to 1, while it runs'),
    rate_per_second: nullable(Type.Number(), 'Messages ended per second since it was started last'),
    expected_finish_at: Time('null: not running, waiting for WeChat, or too early to say'),
    expected_end: nullable(
      Type.Union([Type.Literal('done'), Type.Literal('quota'), Type.Literal('window_closed')]),
      'What it is expected to end by then: everybody is reminded, the quota is used up, or SEND_UNTIL has come',
    ),
    quota: nullable(Quota, 'null: of another day, or WeChat has not told it'),
    open: nullable(Open, 'null: everything is settled'),
  },
  { description: 'How it stands at this moment', examples: [RUN_STATUS] },
)

export const RunListSchema = Type.Object(
  {
    runs: Type.Array(RunSummarySchema),
    next: nullable(IsoDate, 'Pass it as `before` for older runs; null: there are none'),
  },
  { description: 'A page of runs', examples: [RUN_LIST] },
)

export type RunError = Type.Static<typeof RunErrorSchema>
/** A run, without what changes from second to second. */
export type RunSummary = Type.Static<typeof RunSummarySchema>
export type RunStatus = Type.Static<typeof RunStatusSchema>
export type RunList = Type.Static<typeof RunListSchema>
