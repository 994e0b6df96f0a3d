import type { Knex } from 'knex'
import { ServiceError } from '../errors.js'
import { groupBy } from '../lib/group-by.js'
import { isoTime } from '../lib/iso-time.js'
import { type UserId, userIdToJson } from '../lib/user-id.js'
import { traceIdOf } from '../messages/message.js'
import { errcodeOf, httpStatusEntry } from '../wechat/errcodes.js'
import type { State } from './schemas.js'
import type { SubmittedAttempt, SubmittedMessage, SubmittedPage } from './status-schemas.js'
import * as store from './status-store.js'
import { explainState } from './words.js'

/** Rows that a list looks at for one page: with a rare state among many messages, a page may have fewer, and a next. */
const MAX_LOOKS = 1_000
const CHUNK = 100
const SETTLED = ['delivered', 'failed', 'unknown', 'cancelled', 'no_permit', 'expired', 'dead'] as const

export interface MessagesQuery {
  /** `open`: those that have not ended. */
  state?: State | 'open' | undefined
  userId?: UserId | undefined
  templateId?: string | undefined
  /** Of WeChat's last answer. */
  errcode?: number | undefined
  limit: number
  /** The id of the last message of the page before. */
  before?: number | undefined
}

/** How a submitted message stands, with every attempt. Throws `not_found`. */
export async function findMessage(db: Knex, appId: string, id: number): Promise<SubmittedMessage> {
  const [row] = await store.findSubmitted(db, appId, [id])
  if (!row) throw noSuchMessage(id)
  return toJson(row, await store.findAttempts(db, [id]))
}

export function noSuchMessage(id: number): ServiceError {
  return new ServiceError('not_found', `There is no submitted message ${id}; old ones are deleted`)
}

/** Submitted messages, the newest first. */
export async function listMessages(db: Knex, appId: string, query: MessagesQuery): Promise<SubmittedPage> {
  const { state, userId, templateId, errcode, limit, before = Number.MAX_SAFE_INTEGER } = query
  const ended = state === undefined ? undefined : (SETTLED.find((one) => one === state) ?? ('open' as const))
  const found = await store.lookThrough(
    db,
    appId,
    { ended, userId, templateId, errcode },
    { before, looks: MAX_LOOKS },
  )
  const shown: store.SubmittedRow[] = []
  let looked = 0
  const wanted = found.filter(({ isWanted }) => isWanted)
  for (let i = 0; i < wanted.length && shown.length < limit; i += CHUNK) {
    const ids = wanted.slice(i, i + CHUNK).map(({ id }) => id)
    for (const row of await store.findSubmitted(db, appId, ids)) {
      if (shown.length === limit) break
      looked = row.id
      if (isIn(row, state)) shown.push(row)
    }
  }
  const attempts = await attemptsOf(db, shown)
  const last = shown.length === limit ? looked : found.at(-1)?.id
  const isEnd = last === undefined || (found.length < MAX_LOOKS && last === found.at(-1)?.id)
  return {
    items: shown.map((row) => toJson(row, attempts.get(row.id) ?? [])),
    next: isEnd ? null : String(last),
  }
}

/** It may have moved on since it was found. */
function isIn(row: store.SubmittedRow, state: MessagesQuery['state']): boolean {
  return state === undefined || (state === 'open' ? row.ended === 'open' : stateOf(row) === state)
}

async function attemptsOf(db: Knex, rows: store.SubmittedRow[]): Promise<Map<number, store.AttemptRow[]>> {
  if (rows.length === 0) return new Map()
  const attempts = await store.findAttempts(
    db,
    rows.map(({ id }) => id),
  )
  return groupBy(attempts, ({ message_id }) => message_id)
}

/**
 * Where a message stands for its backend. A queued one without a time to wait for is in a process's hands; one that waits
 * for a retry and was never tried was only put off.
 */
export function stateOf({ ended, state, attempts, next_attempt_at }: store.SubmittedRow): State {
  if (ended !== 'open') return ended
  if (state === 'queued') return next_attempt_at === null ? 'sending' : 'queued'
  return state === 'retry' && attempts === 0 ? 'queued' : state
}

function toJson(row: store.SubmittedRow, attempts: store.AttemptRow[]): SubmittedMessage {
  const state = stateOf(row)
  const meaning = explainState(row, state)
  return {
    id: row.id,
    trace_id: traceIdOf(row.id),
    state,
    meaning: meaning.en,
    meaning_zh: meaning.zh,
    user_id: userIdToJson(row.user_id),
    channel: row.channel,
    template_id: row.template_id,
    data: JSON.parse(row.data) as Record<string, string>,
    page: row.page,
    not_before_at: isoTime(row.not_before),
    not_after_at: isoTime(row.not_after),
    next_attempt_at: isoTime(row.next_attempt_at),
    permit_id: row.permit_id,
    attempts: attempts.map(attemptJson),
    maybe_sent: row.maybe_sent === 1,
    msgid: row.msgid,
    delivery_status: row.delivery_status,
    requeues: row.requeues,
    submitted_by: row.submitted_by,
    created_at: isoTime(row.created_at),
    settled_at: row.settled_at === 0 ? null : isoTime(row.settled_at),
  }
}

function attemptJson({ ended_at, outcome, errcode, ...rest }: store.AttemptRow): SubmittedAttempt {
  const { permit_id, errmsg, rid, msgid } = rest
  return { at: isoTime(ended_at), outcome, answer: answerJson(errcode), errmsg, rid, msgid, permit_id }
}

function answerJson(errcode: number | null): SubmittedAttempt['answer'] {
  if (errcode === null) return null
  // Where no WeChat answered, the HTTP status is on record in place of a code.
  const { name, meaning, meaning_zh } = httpStatusEntry(errcode) ?? errcodeOf(errcode)
  return { errcode, name, meaning, meaning_zh }
}
