import type { Knex } from 'knex'
import type { ReminderData } from '../account.js'
import { groupBy } from '../lib/group-by.js'
import { isoTime } from '../lib/iso-time.js'
import type { UserId } from '../lib/user-id.js'
import { traceIdOf } from '../messages/message.js'
import { literalTexts, renderReminder } from '../messages/text.js'
import { errcodeJson, isoDateOrNull, isoTimeOrNull } from './json.js'
import * as store from './message-store.js'
import type { Attempt, Message, MessagePage } from './schemas.js'

/** WeChat's errcode of a message that it took. The column is NULL then. */
const ACCEPTED = 0
/** Permits of a user that are looked at for the attempts of a page of messages. */
const MAX_LOOKS = 5_000

export interface MessageQuery {
  limit: number
  /** The id of the last message of the page before. */
  before?: number | undefined
}

/** A page of a user's messages, the newest first, each with the attempts that are on record. */
export async function findMessagePage(
  db: Knex,
  appId: string,
  userId: UserId,
  { limit, before = Number.MAX_SAFE_INTEGER }: MessageQuery,
): Promise<MessagePage> {
  const keys = await store.findMessageKeys(db, appId, userId, { before, limit: limit + 1 })
  const ids = keys.slice(0, limit).map(({ id }) => id)
  const last = ids.at(-1)
  if (last === undefined) return { items: [], next: null }
  const rows = await store.findMessages(db, ids)
  const times = rows.map(({ created_at }) => created_at)
  const among = { ids, from: Math.min(...times), to: Math.max(...times) }
  const spoiled = groupBy(
    await store.findSpoiled(db, appId, userId, among, MAX_LOOKS),
    ({ message_id }) => message_id,
  )
  return {
    items: rows.map((row) => toJson(row, attemptsOf(row, spoiled.get(row.id) ?? []))),
    next: keys.length > limit ? String(last) : null,
  }
}

/**
 * A permit that WeChat refused as spoiled keeps the code. Attempts with one permit leave only the answer of the last
 * one, on the message.
 */
function attemptsOf(row: store.MessageRow, spoiled: store.SpoiledPermit[]): Attempt[] {
  const earlier = spoiled
    .filter(({ id }) => id !== row.permit_id)
    .map(({ id, errcode, updated_at }) => ({
      permit_id: id,
      answer: errcodeJson(errcode),
      rid: null,
      at: isoTime(updated_at),
    }))
  if (row.attempts <= earlier.length) return earlier
  const isAccepted = row.state === 'delivered' && row.errcode === null
  const last = {
    permit_id: row.permit_id,
    answer: errcodeJson(isAccepted ? ACCEPTED : row.errcode),
    rid: row.rid,
    at: isoTime(row.settled_at || row.updated_at),
  }
  return [...earlier, last]
}

function toJson(row: store.MessageRow, attempts: Attempt[]): Message {
  const { id, kind, state, channel, template_id, page, open_id, permit_id, run_id, errmsg, rid, msgid } = row
  return {
    id,
    trace_id: traceIdOf(id),
    kind,
    date: isoDateOrNull(row.date),
    state,
    channel,
    template_id,
    page,
    texts: textsOf(row),
    open_id: open_id || null,
    permit_id,
    run_id,
    attempts: row.attempts,
    attempts_on_record: attempts,
    answer: errcodeJson(row.errcode),
    errmsg,
    rid,
    msgid,
    maybe_sent: row.maybe_sent === 1,
    delivery_status: row.delivery_status,
    next_attempt_at: isoTimeOrNull(row.next_attempt_at),
    created_at: isoTime(row.created_at),
    settled_at: isoTimeOrNull(row.settled_at),
  }
}

/** What the message says, with its placeholders filled in if it has a day. */
function textsOf({ data, date, streak, kind }: store.MessageRow): Record<string, string> {
  const texts: ReminderData = JSON.parse(data)
  const isLiteral = date === null || kind !== 'reminder'
  const said = isLiteral ? literalTexts(texts) : renderReminder(texts, { date, streak })
  return Object.fromEntries(Object.entries(said).map(([key, { value }]) => [key, value]))
}
