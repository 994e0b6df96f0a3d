import type { Call } from './call.js'
import type { Delivery } from './ledger.js'

/** One request to send a message that has reached this WeChat, struck or not; filled in as it proceeds. */
export interface SendRequest {
  readonly at: number
  /** undefined if the client gave no name. */
  readonly client: string | undefined
  readonly openId: string
  /** The message's data as it came; no channel has another name for a message. */
  readonly data: unknown
  /** An errcode, or the kind of the fault that kept WeChat from answering; undefined while it is under way. */
  outcome?: number | string
  /** HTTP status, if there was an answer at all. */
  status?: number
  /** The message, if it took effect. */
  delivery?: Delivery
  /** When the connection was done with it. */
  endedAt?: number
}

/** undefined for a call that names no receiver. */
export function toSendRequest({ client, body }: Call, at: number): SendRequest | undefined {
  const openId = body?.touser
  return typeof openId === 'string' ? { at, client, openId, data: body?.data } : undefined
}
