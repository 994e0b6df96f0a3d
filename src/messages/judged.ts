import type { SendResult } from '../wechat/client.js'
import type { HeldMessage } from './message.js'
import type { Verdict } from './verdict.js'

/** What WeChat said, as recorded on the message. */
export interface AnswerRecord {
  errcode: number | null
  errmsg: string | null
  rid: string | null
  msgid: string | null
}

/** A message with the verdict to be written down, after an attempt or for a claim that led to none. */
export interface JudgedMessage {
  message: HeldMessage
  verdict: Verdict
  answer: AnswerRecord
  /** Whether a request was made. */
  attempted: boolean
}

/** The verdict on a message for which no request was made, and why. */
export function judgedUnsent(message: HeldMessage, verdict: Verdict, why: string): JudgedMessage {
  const answer = { errcode: null, errmsg: why, rid: null, msgid: null }
  return { message, verdict, answer, attempted: false }
}

export function recordOf(result: SendResult): AnswerRecord {
  switch (result.kind) {
    case 'accepted':
      return { errcode: null, errmsg: null, rid: null, msgid: result.msgid ?? null }
    case 'refused':
      return { errcode: result.errcode, errmsg: result.errmsg, rid: result.rid ?? null, msgid: null }
    default: {
      const errmsg = `${result.kind}: ${result.reason} ${result.detail ?? ''}`.trim()
      return { errcode: null, errmsg, rid: null, msgid: null }
    }
  }
}
