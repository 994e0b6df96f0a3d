export type UnreachableReason =
  | 'dns'
  | 'refused'
  | 'connect_timeout'
  | 'tls'
  | 'network'
  /** The caller gave up before anything was written. */
  | 'aborted'
  /** The pool is closing. */
  | 'closed'
  /** No access token was available. */
  | 'token'

/** Certainly not sent: nothing was written to the line. */
export interface Unreachable {
  kind: 'unreachable'
  reason: UnreachableReason
  /** The error's code, such as ENOTFOUND; never its text, which may hold the URL. */
  detail?: string
}

export type AmbiguousReason =
  | 'headers_timeout'
  | 'body_timeout'
  | 'connection_lost'
  | 'answer_too_large'
  /** An answer arrived, but it is not WeChat's. */
  | 'unreadable'
  /** The caller gave up after the request had left. */
  | 'aborted'
  /**
   * 5xx without an answer from WeChat. A gateway's 502 or 504 and a server's 500 may all hide a message that
   * went out; only 503 and 429 say that the request was not processed (see `httpStatusEntry`).
   */
  | `http_${number}`

/** The request left, or may have left, and it is not known what WeChat did with it. */
export interface Ambiguous {
  kind: 'ambiguous'
  reason: AmbiguousReason
  detail?: string
}

const UNREACHABLE_BY_CODE: Readonly<Record<string, UnreachableReason>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EAI_NODATA: 'dns',
  ECONNREFUSED: 'refused',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  ETIMEDOUT: 'connect_timeout',
  UND_ERR_CLOSED: 'closed',
  UND_ERR_DESTROYED: 'closed',
}

const AMBIGUOUS_BY_CODE: Readonly<Record<string, AmbiguousReason>> = {
  UND_ERR_HEADERS_TIMEOUT: 'headers_timeout',
  UND_ERR_BODY_TIMEOUT: 'body_timeout',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'answer_too_large',
  UND_ERR_HEADERS_OVERFLOW: 'answer_too_large',
}

/** Codes of certificate verification (OpenSSL's X509_V_ERR_ names as Node gives them) and of the handshake. */
const TLS_CODE = /^ERR_TLS|^ERR_SSL|^EPROTO$|CERT|SIGNATURE|ISSUER|VERIFY_LEAF/

/** Why a request that was certainly not written failed: a reason, or the error that undici reported. */
export function unreachableBecause(cause: UnreachableReason | Error): Unreachable {
  if (typeof cause === 'string') return { kind: 'unreachable', reason: cause }
  const code = codeOf(cause)
  const reason = UNREACHABLE_BY_CODE[code] ?? (TLS_CODE.test(code) ? 'tls' : 'network')
  return withDetail({ kind: 'unreachable', reason }, code)
}

/** Why nothing certain is known about a request that was written at least in part. */
export function ambiguousAfter(cause: AmbiguousReason | Error): Ambiguous {
  if (typeof cause === 'string') return { kind: 'ambiguous', reason: cause }
  const code = codeOf(cause)
  const unreadable = cause.name === 'HTTPParserError'
  const reason = AMBIGUOUS_BY_CODE[code] ?? (unreadable ? 'unreadable' : 'connection_lost')
  return withDetail({ kind: 'ambiguous', reason }, code)
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Only the plain word of a code goes on: an error's message may quote the URL, and with it the token. */
function withDetail<Failure extends Unreachable | Ambiguous>(failure: Failure, code: string): Failure {
  return /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? { ...failure, detail: code } : failure
}
