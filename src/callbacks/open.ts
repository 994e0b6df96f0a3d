import { ServiceError } from '../errors.js'
import type { Fields } from '../lib/lossless-json.js'
import { sha256 } from '../lib/sha256.js'
import { decodeAesKey, decrypt } from './cipher.js'
import { parsePush } from './parse.js'
import { isSignedBy } from './signature.js'

/** As entered in WeChat's console. */
export interface CallbackSecrets {
  appId: string
  token: string
  /** '' = pushes come in plain. */
  encodingAesKey: string
}

/** What WeChat puts into the query. */
export interface PushQuery {
  signature?: unknown
  msg_signature?: unknown
  timestamp?: unknown
  nonce?: unknown
  echostr?: unknown
}

/** A push that is certainly WeChat's. */
export interface OpenedPush {
  fields: Fields
  /** Hash of timestamp, nonce and signature: tells one push from another, and is the same when it is sent again. */
  mark: string
  /** Hash of what was read. */
  content: string
}

/**
 * How far a push's timestamp may be from our clock, either way. WeChat sends again within 15 s; the rest is for clocks
 * that are wrong.
 */
export const AGE_LIMIT_MS = 10 * 60 * 1000

/** Why a push was refused, for programs: the self-test tells from it what to mend. */
export type Refusal =
  | 'unsigned'
  | 'signature'
  | 'timestamp'
  | 'not_encrypted'
  | 'no_aes_key'
  | 'cipher'
  | 'app_id'
  | 'body'
  | 'reused'

export function refusal(reason: Refusal, message: string): ServiceError {
  return new ServiceError(reason === 'body' ? 'malformed_request' : 'forbidden', message, { reason })
}

/** The echostr of WeChat's check of the URL. Throws `forbidden` if it is not signed with our token. */
export function openEcho({ token }: CallbackSecrets, query: PushQuery): string {
  const { timestamp, nonce } = readStamp(query)
  requireSignature(query.signature, token, timestamp, nonce)
  return typeof query.echostr === 'string' ? query.echostr : ''
}

/**
 * Checks signature and age of a push, and decrypts it. With an AES key only what is encrypted counts: the plain copy
 * beside it (compatible mode) is ignored, a push without it is refused. Throws `forbidden` or `malformed_request`.
 */
export function openPush(secrets: CallbackSecrets, query: PushQuery, body: string, now: number): OpenedPush {
  const stamp = readStamp(query)
  const opened = secrets.encodingAesKey === '' ? openPlain : openEncrypted
  const { fields, content, signature } = opened(secrets, query, stamp, body)
  if (Math.abs(Number(stamp.timestamp) * 1000 - now) > AGE_LIMIT_MS) {
    throw refusal('timestamp', 'The timestamp is more than 10 minutes off; set the clock of this machine')
  }
  return {
    fields,
    mark: sha256([stamp.timestamp, stamp.nonce, signature].join('\n')).toString('hex'),
    content: sha256(content).toString('hex'),
  }
}

interface Stamp {
  timestamp: string
  nonce: string
}

interface Content {
  fields: Fields
  content: string
  signature: string
}

function openPlain({ token }: CallbackSecrets, query: PushQuery, stamp: Stamp, body: string): Content {
  const signature = requireSignature(query.signature, token, stamp.timestamp, stamp.nonce)
  const fields = parseBody(body)
  if (fields.Encrypt !== undefined && fields.MsgType === undefined) {
    throw refusal('no_aes_key', 'The push is encrypted; set WX_ENCODING_AES_KEY as in the console')
  }
  return { fields, content: body, signature }
}

function openEncrypted(secrets: CallbackSecrets, query: PushQuery, stamp: Stamp, body: string): Content {
  const { appId, token, encodingAesKey } = secrets
  const { Encrypt: encrypted } = parseBody(body)
  if (typeof encrypted !== 'string') {
    throw refusal(
      'not_encrypted',
      'WX_ENCODING_AES_KEY is set, so plain pushes are refused; choose safe mode in the console',
    )
  }
  const signature = requireSignature(query.msg_signature, token, stamp.timestamp, stamp.nonce, encrypted)
  const decrypted = decrypt(decodeAesKey(encodingAesKey), encrypted, appId)
  if (!decrypted.ok) {
    throw decrypted.reason === 'app_id'
      ? refusal('app_id', 'The push is for another app_id than WX_APP_ID')
      : refusal('cipher', 'The push cannot be decrypted; WX_ENCODING_AES_KEY must be that of the console')
  }
  return { fields: parseBody(decrypted.message), content: encrypted, signature }
}

function readStamp({ timestamp, nonce }: PushQuery): Stamp {
  if (typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp) || typeof nonce !== 'string') {
    throw refusal('unsigned', 'Only WeChat calls this address, with timestamp, nonce and signature')
  }
  return { timestamp, nonce }
}

function requireSignature(given: unknown, ...parts: string[]): string {
  if (typeof given !== 'string' || !isSignedBy(given, ...parts)) {
    throw refusal('signature', 'The signature is not made with WX_CALLBACK_TOKEN')
  }
  return given
}

function parseBody(body: string): Fields {
  const fields = parsePush(body)
  if (!fields) throw refusal('body', 'The body is neither a JSON object nor <xml>')
  return fields
}
