import type { PermitSource } from '../books/index.js'
import type { Channel } from '../channel.js'
import type { UserId } from '../lib/user-id.js'
import type { TemplateData } from '../wechat/messages.js'
import type { QuotaUse } from './quota-store.js'

/** A sign-in reminder, or a message that a backend submitted. */
export type MessageKind = 'reminder' | 'api'

/** A claimed message in the hands of this process: what it needs to be sent, and to be settled afterwards. */
export interface HeldMessage {
  id: number
  /** The claim by which this process holds it. All messages of one claim share this object. */
  lease: Lease
  /**
   * `queued`: its request cannot have left yet. `sending`: it may have, and whoever takes it over must allow for
   * that.
   */
  state: 'queued' | 'sending'
  kind: MessageKind
  appId: string
  userId: UserId
  openId: string
  /**
   * The open_id that a message of the API was addressed to, and whose permits alone it may spend; null: any of its
   * user's.
   */
  addressedTo: string | null
  channel: Channel
  templateId: string
  page: string
  data: TemplateData
  /** null if it needs none, as on a service account. */
  permitId: number | null
  /** '' without a permit. */
  formId: string
  /** null without a permit, or if its row is gone. */
  permitSource: PermitSource | null
  /** Attempts that have ended so far. */
  attempts: number
  /** Of these, those that said nothing of this message: see `spared` of a verdict. 0 for a reminder. */
  spared: number
  /** An earlier attempt may have reached WeChat, and its answer is unknown. */
  maybeSent: boolean
  /** Name of the API key that submitted it; '' for a reminder. */
  submittedBy: string
  /** The day of a reminder; null for a message that a backend submitted. */
  businessDate: number | null
  /** The run that claimed it; null for a message that a backend submitted. */
  runId: number | null
  /** No attempt of a submitted message leaves from then on, in ms; null for a reminder, whose day has a window. */
  notAfter: number | null
  /** When it was first claimed, in ms. No attempt was made before that. */
  createdAt: number
}

export interface Lease {
  /**
   * Row of wx_claim, and the fence: a takeover gives the messages another claim, and only a process that still has
   * the current one writes a verdict.
   */
  claimId: number
  /** The time until which this process may act on the messages, by its own monotonic clock (performance.now). */
  deadline: number
  /** Where its messages are counted as calls of the day's quota; undefined if they are not. */
  quota?: QuotaUse
}

/** The trace id of a message in the logs. */
export function traceIdOf(messageId: number): string {
  return `message-${messageId}`
}
