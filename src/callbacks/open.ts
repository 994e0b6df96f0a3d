import { ServiceError } from '../errors.js'
import { MINUTE_MS } from '../lib/durations.js'
import type { Fields } from '../lib/lossless-json.js'
import { sha256 } from '../lib/sha256.js'
import { decodeAesKey, decrypt } from './cipher.js'
import { cutEncrypted, parsePush } from './parse.js'
import { isSignedBy } from './signature.js'

/** As entered in WeChat's console. */
export interface CallbackSecrets {
  appId: string
  token: string
  /** '' = pushes arrive unencrypted. */
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

/** A push that certainly comes from WeChat. */
export interface OpenedPush {
  fields: Fields
  /**
   * Hash of the signature: it tells one push from another, and stays the same when a push is sent again. Only
   * of the signature, because one signature is right for every way to split its text into timestamp and
   * nonce.
   */
  mark: string
  /** Hash of what was read. */
  content: string
}

/**
 * How far a push's timestamp may be from our clock, either way. WeChat sends again within 15 s; the rest
 * allows for wrong clocks.
 */
export const AGE_LIMIT_MS = 10 * MINUTE_MS

/** Why a push was refused, for programs: it tells the self-test what to fix. */
export type PushRefusal =
  | 'unsigned'
  | 'signature'
  | 'timestamp'
  | 'not_encrypted'
  | 'no_aes_key'
  | 'cipher'
  | 'app_id'
  | 'body'
  | 'reused'
  | 'content'

export function refusal(reason: PushRefusal, message: string): ServiceError {
  return new ServiceError(reason === 'body' ? 'malformed_request' : 'forbidden', message, { reason })
}

/** The reason of a refusal; undefined for any other error. */
export function reasonOf(error: unknown): string | undefined {
  const reason = error instanceof ServiceError ? error.details?.reason : undefined
  return typeof reason === 'string' ? reason : undefined
}

/**
 * The echostr of WeChat's check of the URL. Throws `forbidden` if it is not signed with our token or is too
 * old.
 */
export function openEcho({ token }: CallbackSecrets, query: PushQuery, now: number): string {
  const stamp = readStamp(query, now)
  requireSignature(query.signature, token, stamp.timestamp, stamp.nonce)
  return typeof query.echostr === 'string' ? query.echostr : ''
}

/**
 * Checks everything that a push's query tells before its body is read: age, the signature of plain mode, and
 * encryption where it is required. Throws `forbidden`.
 */
export function checkQuery(secrets: CallbackSecrets, query: PushQuery, now: number): void {
  const { timestamp, nonce } = readStamp(query, now)
  if (secrets.encodingAesKey !== '' && query.msg_signature !== undefined) return
  requireSignature(query.signature, secrets.token, timestamp, nonce)
  if (secrets.encodingAesKey === '') return
  throw refusal(
    'not_encrypted',
    'WX_ENCODING_AES_KEY is set, so plain pushes are refused; choose safe mode in the console',
  )
}

/**
 * Whether the signature beside the encrypted one is made with our token: WeChat's pushes have it in every
 * mode.
 */
export function hasPlainSignature({ token }: CallbackSecrets, query: PushQuery): boolean {
  const { signature, timestamp, nonce } = query
  if (typeof signature !== 'string' || typeof timestamp !== 'string' || typeof nonce !== 'string')
    return false
  return isSignedBy(signature, token, timestamp, nonce)
}

/** A push whose signature is right. Nothing in it has been read yet. */
export interface SignedPush {
  /** The body, or the encrypted part of it. */
  text: string
  signature: string
}

/**
 * Checks the signature of a push whose query was checked. With an AES key only the encrypted part counts: it
 * alone is cut out of the body, and the plain copy beside it (compatible mode) is ignored. Throws
 * `forbidden`, and `malformed_request` for a body without it.
 */
export function checkPush(secrets: CallbackSecrets, query: PushQuery, body: string): SignedPush {
  const { token, encodingAesKey } = secrets
  const { timestamp, nonce } = query as Stamp
  if (encodingAesKey === '') {
    return { text: body, signature: requireSignature(query.signature, token, timestamp, nonce) }
  }
  const text = cutEncrypted(body)
  if (text === undefined) throw refusal('body', 'The body has no Encrypt field')
  return { text, signature: requireSignature(query.msg_signature, token, timestamp, nonce, text) }
}

/**
 * Decrypts a signed push if there is an AES key, and parses it. Throws `forbidden` or `malformed_request`.
 */
export function readPush(secrets: CallbackSecrets, { text, signature }: SignedPush): OpenedPush {
  const fields = secrets.encodingAesKey === '' ? readPlain(text) : readEncrypted(secrets, text)
  return { fields, mark: sha256(signature).toString('hex'), content: sha256(text).toString('hex') }
}

interface Stamp {
  timestamp: string
  nonce: string
}

function readPlain(body: string): Fields {
  const fields = parseBody(body)
  if (fields.Encrypt !== undefined && fields.MsgType === undefined) {
    throw refusal('no_aes_key', 'The push is encrypted; set WX_ENCODING_AES_KEY as in the console')
  }
  return fields
}

function readEncrypted({ encodingAesKey, appId }: CallbackSecrets, encrypted: string): Fields {
  const decrypted = decrypt(decodeAesKey(encodingAesKey), encrypted, appId)
  if (!decrypted.ok) {
    throw decrypted.reason === 'app_id'
      ? refusal('app_id', 'The push is for an app_id other than WX_APP_ID')
      : refusal('cipher', 'The push cannot be decrypted; WX_ENCODING_AES_KEY must be the one in the console')
  }
  return parseBody(decrypted.message)
}

function readStamp({ timestamp, nonce }: PushQuery, now: number): Stamp {
  if (typeof timestamp !== 'string' || !/^\d{1,12}$/.test(timestamp) || typeof nonce !== 'string') {
    throw refusal('unsigned', 'Only WeChat may call this address, with timestamp, nonce and signature')
  }
  if (Math.abs(Number(timestamp) * 1000 - now) > AGE_LIMIT_MS) {
    throw refusal('timestamp', 'The timestamp is more than 10 minutes off; set the clock of this machine')
  }
  return { timestamp, nonce }
}

function requireSignature(given: unknown, ...parts: string[]): string {
  if (typeof given !== 'string' || !isSignedBy(given, ...parts)) {
    throw refusal('signature', 'The signature was not made with WX_CALLBACK_TOKEN')
  }
  return given
}

function parseBody(body: string): Fields {
  const fields = parsePush(body)
  if (!fields) throw refusal('body', 'The body is neither a JSON object nor <xml>')
  return fields
}
