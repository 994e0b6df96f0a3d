import type { PermitSource } from '../books/index.js'
import type { Channel } from '../channel.js'
import type { UserId } from '../lib/user-id.js'
import type { Reason } from '../runs/reason.js'
import type { RunState, Trigger } from '../runs/run.js'

/** What is on record about one user and one day. Times are in ms. */
export interface Facts {
  userId: UserId
  date: number
  /** Whether any table has a row of the user. */
  isKnown: boolean
  /** The reminder of that day, unless it was given back. */
  message: MessageFact | undefined
  counter: CounterFact | undefined
  /** Of any status, in the order in which they are spent. */
  permits: PermitFact[]
  /** There are more permits than were read. */
  hasMorePermits: boolean
  stops: StopFact[]
  signIn: { at: number } | undefined
  /** Since when an open_id is bound to the user, in ms; undefined: none is. */
  boundSince: number | undefined
  run: RunFact | undefined
  /** The user's last reminder of that run that was given back. */
  givenBack: GivenBackFact | undefined
  /** The day of the account's first run on record. */
  firstRun: number | undefined
  /** What reminders of that day were sent with; of a day without any, what the settings say now. */
  sentWith: SentWith
}

export interface SentWith {
  channel: Channel
  templateId: string
}

export interface MessageFact {
  state: 'queued' | 'sending' | 'retry' | 'delivered' | 'failed' | 'unknown'
  errcode: number | null
  errmsg: string | null
  attempts: number
  delivery_status: string | null
  created_at: number
  settled_at: number
  next_attempt_at: number | null
}

export interface GivenBackFact {
  at: number
  errcode: number | null
  /** WeChat's words, or ours if there is no code. */
  errmsg: string | null
}

export interface CounterFact {
  count: number
  last_date: number
  /** On a service account it is opened when the user is bound. */
  created_at: number
  updated_at: number
}

export interface PermitFact {
  source: PermitSource
  template_id: string | null
  expire: number
  status: 0 | 1 | 2
  /** 0 = written by hand, without a time. */
  created_at: number
  updated_at: number
  /** When the message that spent it was claimed; null if no message is on record. */
  spent_at: number | null
  /** The submitted message that holds it and is not settled yet. */
  held_by: number | null
}

export interface StopFact {
  kind: 'opt_out' | 'block'
  errcode: number | null
  began_at: number
  /** null = it holds. */
  ended_at: number | null
}

export interface RunFact {
  state: RunState
  reason: Reason | null
  triggered_by: Trigger
  /** Of its last start, if it was started more than once. */
  started_at: number
  finished_at: number | null
  claim_limit: number | null
  claimed: number
  /** Whether its cursor has passed the user. */
  isRead: boolean
  /** Whether its cursors have users before them. */
  hasUnread: boolean
}
