import { ERRMSG, type Errcode, isKnownErrcode } from './errors.js'
import type { Delivery } from './ledger.js'

/** What an endpoint decided: the errcode, the JSON to write, and the message that took effect, if one did. */
export interface Reply {
  errcode: number
  body: string
  delivery?: Delivery
  /** Of an accepted message, if it has one. */
  msgid?: string
}

const OK_BODY = '{"errcode":0,"errmsg":"ok"}'

let refusals = 0

/** The three groups of eight hex digits that support asks for. */
function nextRid(): string {
  refusals += 1
  const [first, second] = [(refusals * 0x9e3779b1) >>> 0, (refusals * 0x85ebca6b) >>> 0]
  return [refusals, first, second].map((part) => part.toString(16).padStart(8, '0')).join('-')
}

export function refuse(errcode: Errcode, detail?: string): Reply {
  return refuseWith(errcode, detail === undefined ? ERRMSG[errcode] : `${ERRMSG[errcode]} ${detail}`)
}

/** For injected faults, which may use codes and texts that the sandbox itself never answers. */
export function refuseWith(errcode: number, errmsg?: string): Reply {
  const text = errmsg ?? (isKnownErrcode(errcode) ? ERRMSG[errcode] : 'sandbox fault')
  return { errcode, body: JSON.stringify({ errcode, errmsg: `${text} rid: ${nextRid()}` }) }
}

/**
 * The msgid is written as a bare JSON number of 64 bits, as WeChat does: a client that reads it with
 * JSON.parse gets a wrong number. JSON.stringify cannot write it, hence the text.
 */
export function accepted(delivery: Delivery): Reply {
  const { msgid } = delivery
  return msgid === null ? { errcode: 0, body: OK_BODY, delivery } : { ...acceptedAs(msgid), delivery }
}

/**
 * Accepted, and nothing delivered by this call: a message that is lost on the way, or a repeated client_msg_id, for
 * which WeChat's answer is not documented.
 */
export function acceptedAs(msgid: string): Reply {
  return { errcode: 0, msgid, body: `{"errcode":0,"errmsg":"ok","msgid":${msgid}}` }
}

/** Done, with what was asked for. */
export function done(answer: object = {}): Reply {
  return plain({ errcode: 0, errmsg: 'ok', ...answer })
}

/** Token and login endpoints leave errcode out on success. */
export function plain(body: object): Reply {
  return { errcode: 0, body: JSON.stringify(body) }
}
