import { type ErrcodeEntry, errcodeOf, httpStatusEntry } from './errcodes.js'
import { type Ambiguous, ambiguousAfter, type Unreachable } from './failure.js'
import type { HttpResult } from './http.js'

/** WeChat answered with a code, or an HTTP status said clearly that nothing was done. */
export interface Refused {
  kind: 'refused'
  /** WeChat's code, or the HTTP status where no WeChat answer came. */
  errcode: number
  errmsg: string
  /** WeChat's console explains the call under this id, for seven days. */
  rid?: string
  entry: ErrcodeEntry
}

export interface Succeeded {
  kind: 'succeeded'
  body: Readonly<Record<string, unknown>>
  /** The answer as received, for numbers beyond 2^53 that `body` has lost. */
  text: string
}

export type Answer = Succeeded | Refused | Unreachable | Ambiguous

const RID = /\brid: ?([0-9a-f-]{8,60})/
const MAX_ERRMSG_LENGTH = 500

/**
 * Reads what came back. An errcode outweighs the HTTP status, because WeChat itself has spoken then; the
 * content type is ignored, because WeChat sends JSON as text/plain on some calls. Login, token and list calls
 * leave errcode out on success (their pages); a send always has one, so its absence there means that
 * something else answered.
 */
export function readAnswer(
  result: HttpResult,
  errcodeWhenOk: 'always' | 'may_be_absent',
  entryOf: (errcode: number) => ErrcodeEntry = errcodeOf,
): Answer {
  if (result.kind !== 'answered') return result
  const { status, text } = result
  const body = parseObject(text)
  const errcode = body === undefined ? undefined : integer(body.errcode)
  if (body !== undefined && errcode !== undefined && errcode !== 0)
    return refused(errcode, typeof body.errmsg === 'string' ? body.errmsg : '', entryOf(errcode))
  if (status !== 200) return readStatus(status)
  if (body === undefined) return ambiguousAfter('unreadable')
  if (errcode === undefined && (errcodeWhenOk === 'always' || body.errcode !== undefined))
    return ambiguousAfter('unreadable')
  return { kind: 'succeeded', body, text }
}

function readStatus(status: number): Refused | Ambiguous {
  const entry = httpStatusEntry(status)
  if (entry !== undefined) return refused(status, `HTTP ${status}`, entry)
  return ambiguousAfter(status >= 500 ? `http_${status}` : 'unreadable')
}

function refused(errcode: number, errmsg: string, entry: ErrcodeEntry): Refused {
  const rid = RID.exec(errmsg)?.[1]
  const answer: Refused = { kind: 'refused', errcode, errmsg: errmsg.slice(0, MAX_ERRMSG_LENGTH), entry }
  return rid === undefined ? answer : { ...answer, rid }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    ? (parsed as Record<string, unknown>)
    : undefined
}

/** errcode as a number; some WeChat services write numbers as strings. */
function integer(value: unknown): number | undefined {
  if (Number.isSafeInteger(value)) return value as number
  return typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? Number(value) : undefined
}

const MSGID = /"msgid"\s*:\s*"?(\d{1,20})/

/**
 * The msgid, a 64-bit number (公众号模板消息), as text: JSON.parse would round it. Quotes inside a JSON string are
 * escaped, so the pattern matches only a real key.
 */
export function msgidOf(text: string): string | undefined {
  return text.includes('"msgid"') ? MSGID.exec(text)?.[1] : undefined
}
