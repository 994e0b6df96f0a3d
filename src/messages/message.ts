import type { PermitSource } from '../books/index.js'
import type { Channel } from '../channel.js'
import type { UserId } from '../lib/user-id.js'
import type { TemplateData } from '../wechat/messages.js'

/** A claimed message in the hands of this process: what it needs to be sent, and to be settled afterwards. */
export interface HeldMessage {
  id: number
  /** Goes up with every takeover; a verdict is written only by the one who still has the number. */
  fence: number
  /** `queued`: its request cannot have left yet. `sending`: it may have, and whoever takes it over must reckon with that. */
  state: 'queued' | 'sending'
  appId: string
  userId: UserId
  openId: string
  channel: Channel
  templateId: string
  page: string
  data: TemplateData
  permitId: number
  formId: string
  /** null if the permit's row is gone. */
  permitSource: PermitSource | null
  /** Attempts that ended before now. */
  attempts: number
  /** An earlier attempt may have reached WeChat, and its answer is not known. */
  maybeSent: boolean
  /** Day of a reminder; null for a message that a backend submitted. */
  businessDate: number | null
  /** The run that claimed it; null for a message that a backend submitted. */
  runId: number | null
  traceId: string
  /** When it was claimed, in ms: no attempt was made before. */
  createdAt: number
  /** Until when this process may act on it, on its own monotonic clock (performance.now). */
  leaseDeadline: number
}
