const MASK = '***'

/**
 * Names whose values are secret, also at the end of a longer name: `WX_APP_SECRET`, `session_key`, `appsecret`.
 * Repetitions before a name are bounded, here and below, so that hostile text takes linear time.
 */
const NAME =
  '[\\w-]{0,32}(?:access_?token|refresh_?token|secret|session_?key|aes_?key|password|passwd|api_?keys?|js_code)'

/** `access_token=…` in a URL, a form or a listing of the environment. The value ends where a URL's parameter would. */
const IN_QUERY = new RegExp(`(${NAME})=([^&\\s"'\`<>#,;)}\\]]+)`, 'gi')

/** `"access_token":"…"`; the closing quote may have been cut off. */
const IN_JSON = new RegExp(`("${NAME}"\\s{0,8}:\\s{0,8})"(?:[^"\\\\]|\\\\.)*"?`, 'gi')

/** `\"access_token\":\"…\"`: JSON that was put into a JSON string, at any depth. */
const IN_NESTED_JSON = new RegExp(`(\\\\{1,8}"${NAME}\\\\{1,8}"\\s{0,8}:\\s{0,8}\\\\{1,8}")[^"\\\\]*`, 'gi')

/** `access_token: '…'` as util.inspect prints an object. */
const INSPECTED = new RegExp(`(\\b${NAME}'?: )'[^']*'?`, 'gi')

/** The value that a database quotes in its refusal: `Duplicate entry 'wx1-oAbC…' for key 'PRIMARY'`. */
const REFUSED_VALUE =
  /((?:Duplicate entry|Incorrect \w{1,16} value:) )'[^\n]{0,1024}?'(?= for (?:key|column))/g

/** A session token (JWT): three parts in base64url, the first two of them JSON objects. */
const SESSION_TOKEN = /\beyJ[\w-]{8,2048}\.eyJ[\w-]{8,2048}\.[\w-]{8,2048}/g

/** `user:password@` of a URL. */
const IN_AUTHORITY = /(:\/\/[^\s/:@]{0,64}):[^\s/@]{1,256}@/g

/**
 * Text without the secrets that can be recognised by their name, and without the given ones wherever they stand.
 * For everything that leaves the process as text: log lines, errors, results, pages.
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, MASK)
  return clean
    .replace(IN_JSON, `$1"${MASK}"`)
    .replace(IN_NESTED_JSON, `$1${MASK}`)
    .replace(INSPECTED, `$1'${MASK}'`)
    .replace(IN_QUERY, `$1=${MASK}`)
    .replace(REFUSED_VALUE, `$1'${MASK}'`)
    .replace(SESSION_TOKEN, MASK)
    .replace(IN_AUTHORITY, `$1:${MASK}@`)
}

const SHOWN_START = 4
const SHOWN_END = 2
/** Below this the six characters shown would be most of the id. WeChat's have 28. */
const MIN_LENGTH = 16

/** Enough of an open_id to tell two apart in a log, too little to send to or to look the person up. */
export function maskOpenId(openId: string): string {
  if (openId.length < MIN_LENGTH) return '…'
  return `${openId.slice(0, SHOWN_START)}…${openId.slice(-SHOWN_END)}`
}
