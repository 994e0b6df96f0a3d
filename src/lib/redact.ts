import { jsonLayers } from './json-layers.js'

const MASK = '***'

/**
 * Names whose values are secret, also at the end of a longer name: `WX_APP_SECRET`, `session_key`, `appsecret`.
 * Repetitions before a name are bounded, here and below, so that hostile text takes linear time.
 */
const NAME =
  '[\\w-]{0,32}(?:access_?token|refresh_?token|secret|session_?key|aes_?key|password|passwd|api_?keys?|js_code)'

/** Where a secret stands in a text: from its first character up to, but not including, the last index. */
type Range = [from: number, to: number]

/** What stands before a secret, and where the secret that begins there ends. */
interface Pattern {
  head: RegExp
  endOf(text: string, from: number, head: RegExpExecArray): number
}

const PATTERNS: Pattern[] = [
  // `access_token=…` in a URL, a form or a listing of the environment.
  { head: new RegExp(`${NAME}=`, 'gi'), endOf: endOfParameter },
  // `"access_token":"…"`; the closing quote may have been cut off.
  { head: new RegExp(`"${NAME}"\\s{0,8}:\\s{0,8}(")`, 'gi'), endOf: endOfString },
  // `access_token: '…'` as util.inspect prints an object, in double quotes if the value contains single ones.
  { head: new RegExp(`\\b${NAME}'?: (['"\`])`, 'gi'), endOf: endOfString },
  // The value that a database quotes in its refusal: `Duplicate entry 'wx1-oAbC…' for key 'PRIMARY'`.
  {
    head: /(?:Duplicate entry|Incorrect \w{1,16} value:) '(?=([^\n]{0,1024}?)' for (?:key|column))/g,
    endOf: (_, from, head) => from + (head[1]?.length ?? 0),
  },
  // `user:password@` in a URL.
  {
    head: /:\/\/[^\s/:@]{0,64}:(?=([^\s/@]{1,256})@)/g,
    endOf: (_, from, head) => from + (head[1]?.length ?? 0),
  },
]

const ENDS_PARAMETER = new Set('&"\'`<>#,;)}] \t\r\n\f\v')

/** The value ends where a URL parameter would; backslashes before a quote belong to the quote. */
function endOfParameter(text: string, from: number): number {
  let end = from
  while (end < text.length && !ENDS_PARAMETER.has(text.charAt(end))) {
    let next = end
    while (text[next] === '\\') next++
    if (next > end && text[next] === '"') break
    end = Math.max(next, end + 1)
  }
  return end
}

function endOfString(text: string, from: number, head: RegExpExecArray): number {
  let end = from
  while (end < text.length && text[end] !== head[1]) end += text[end] === '\\' ? 2 : 1
  return Math.min(end, text.length)
}

function* named(text: string): Generator<Range> {
  for (const { head, endOf } of PATTERNS) {
    head.lastIndex = 0
    for (let match = head.exec(text); match; match = head.exec(text)) {
      const from = head.lastIndex
      const to = endOf(text, from, match)
      yield [from, to]
      head.lastIndex = to
    }
  }
}

/** A session token (JWT): three parts in base64url, the first two of them JSON objects. */
function* sessionTokens(text: string): Generator<Range> {
  for (let dot = text.indexOf('.eyJ'); dot !== -1; dot = text.indexOf('.eyJ', dot + 1)) {
    let from = dot
    while (from > 0 && isBase64Url(text, from - 1)) from--
    let to = endOfBase64Url(text, dot + 1)
    if (text[to] === '.') to = endOfBase64Url(text, to + 1)
    if (text.slice(from, dot).includes('eyJ')) yield [from, to]
  }
}

const BASE64URL = /[\w-]/

function isBase64Url(text: string, at: number): boolean {
  return BASE64URL.test(text.charAt(at))
}

function endOfBase64Url(text: string, from: number): number {
  let end = from
  while (isBase64Url(text, end)) end++
  return end
}

function* given(text: string, secrets: Iterable<string>): Generator<Range> {
  for (const secret of secrets) {
    if (secret === '') continue
    for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length))
      yield [at, at + secret.length]
  }
}

/** A line is JSON; a body in it may be JSON with JSON text in one of its strings. */
const DEPTH = 3

/**
 * Text without the secrets that can be recognised by their name, and without the given secrets wherever they
 * stand, plain or JSON-escaped. For everything that leaves the process as text: log lines, errors, results,
 * pages.
 */
export function redact(text: string, secrets: Iterable<string> = []): string {
  const found: Range[] = []
  for (const layer of jsonLayers(text, DEPTH)) {
    for (const find of [given(layer.text, secrets), named(layer.text), sessionTokens(layer.text)])
      for (const [from, to] of find) found.push([layer.at(from), layer.at(to)])
  }
  return mask(text, found)
}

/** Ranges that overlap or touch count as one secret. */
function mask(text: string, ranges: Range[]): string {
  const pieces: string[] = []
  let done = 0
  let masked = -1
  for (const [from, to] of ranges.sort(([a], [b]) => a - b)) {
    if (from > done || masked !== done) pieces.push(text.slice(done, Math.max(from, done)), MASK)
    done = Math.max(done, to)
    masked = done
  }
  pieces.push(text.slice(done))
  return pieces.join('')
}

const SHOWN_START = 4
const SHOWN_END = 2
/** In a shorter id, the six characters shown would be most of it. WeChat's ids have 28. */
const MIN_LENGTH = 16

/** Enough of an open_id to tell two apart in a log, too little to send to or to look the person up. */
export function maskOpenId(openId: string): string {
  if (openId.length < MIN_LENGTH) return '…'
  return `${openId.slice(0, SHOWN_START)}…${openId.slice(-SHOWN_END)}`
}
