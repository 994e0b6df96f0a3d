import type { Knex } from 'knex'
import { execute, MAX_LIST, mysqlHint, placeholders, rowPlaceholders, selectRows } from '../db/sql.js'
import type { Statement } from '../db/together.js'
import { chunks } from '../lib/chunks.js'
import { groupBy } from '../lib/group-by.js'
import { compareKeys, sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'

/** The statements that accept submitted messages. Those that send them are in messages/submitted-store.ts. */

/** By which a request is known again. */
export interface KeyOfRequest {
  submittedBy: string
  keyHash: string
}

/** The requests that were made with these keys, by `nameOf`. Uses wx_submission_key_uq. */
export async function findSubmissions(
  db: Knex,
  appId: string,
  keys: readonly KeyOfRequest[],
): Promise<Map<string, { bodyHash: string; answer: string }>> {
  const found = new Map<string, { bodyHash: string; answer: string }>()
  for (const [submittedBy, ofBackend] of groupBy(keys, (key) => key.submittedBy))
    for (const chunk of chunks(sortedUnique(ofBackend.map(({ keyHash }) => keyHash)), MAX_LIST)) {
      const rows = await selectRows<{ key_hash: string; body_hash: string; answer: string }>(
        db,
        `SELECT key_hash, body_hash, answer FROM wx_submission
         WHERE app_id = ? AND submitted_by = ? AND key_hash IN (${placeholders(chunk.length)})`,
        [appId, submittedBy, ...chunk],
      )
      for (const { key_hash: keyHash, body_hash: bodyHash, answer } of rows)
        found.set(nameOf({ submittedBy, keyHash }), { bodyHash, answer })
    }
  return found
}

export const nameOf = ({ submittedBy, keyHash }: KeyOfRequest): string => `${keyHash} ${submittedBy}`

/** A request with its answer, to be stored. */
export interface Answered extends KeyOfRequest {
  bodyHash: string
  answer: string
}

/**
 * Takes the keys of requests, in their order. A second transaction with one of them waits for this one, and then meets a
 * duplicate.
 */
export function insertingSubmissions(appId: string, answered: Answered[], now: number): Statement[] {
  const inOrder = [...answered].sort((a, b) => compareKeys(nameOf(a), nameOf(b)))
  return chunks(inOrder, MAX_LIST).map((chunk) => ({
    sql: `INSERT INTO wx_submission (app_id, submitted_by, key_hash, body_hash, answer, created_at)
       VALUES ${rowPlaceholders(chunk.length, 6)}`,
    bindings: chunk.flatMap((one) => [appId, one.submittedBy, one.keyHash, one.bodyHash, one.answer, now]),
  }))
}

/** What keeps messages from a user: from all templates, or from one. */
export interface UserStop {
  userId: UserId
  templateId: string | null
}

/** What keeps messages from these users. Uses wx_user_user_idx. */
export async function findStops(db: Knex, appId: string, userIds: UserId[]): Promise<UserStop[]> {
  const stops: UserStop[] = []
  for (const chunk of chunks(sortedUnique(userIds), MAX_LIST)) {
    const rows = await selectRows<{ user_id: UserId; template_id: string | null }>(
      db,
      `SELECT user_id, CASE WHEN blocked_at IS NULL THEN stop_template_id END AS template_id FROM wx_user
       WHERE app_id = ? AND user_id IN (${placeholders(chunk.length)})
         AND (opted_out_at IS NOT NULL OR blocked_at IS NOT NULL)`,
      [appId, ...chunk],
    )
    for (const { user_id, template_id } of rows) stops.push({ userId: user_id, templateId: template_id })
  }
  return stops
}

/** The open_id of each user that was bound last. Uses wx_user_user_idx. */
export async function findOpenIds(db: Knex, appId: string, userIds: UserId[]): Promise<Map<UserId, string>> {
  const openIds = new Map<UserId, string>()
  for (const chunk of chunks(sortedUnique(userIds), MAX_LIST)) {
    const rows = await selectRows<{ user_id: UserId; open_id: string }>(
      db,
      `SELECT user_id, open_id FROM wx_user WHERE app_id = ? AND user_id IN (${placeholders(chunk.length)})
       ORDER BY created_at, open_id DESC`,
      [appId, ...chunk],
    )
    for (const { user_id, open_id } of rows) openIds.set(user_id, open_id)
  }
  return openIds
}

/** How many messages of each of these users are not settled. Uses wx_submitted_message_open_idx. */
export async function countOpenOf(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
): Promise<Map<UserId, number>> {
  const open = new Map<UserId, number>()
  for (const chunk of chunks(sortedUnique(userIds), MAX_LIST)) {
    const rows = await selectRows<{ user_id: UserId; messages: number }>(
      trx,
      `SELECT user_id, COUNT(*) AS messages
       FROM wx_submitted_message${mysqlHint(trx, 'FORCE INDEX (wx_submitted_message_open_idx)')}
       WHERE app_id = ? AND user_id IN (${placeholders(chunk.length)}) AND state = 'open' GROUP BY user_id`,
      [appId, ...chunk],
    )
    for (const { user_id, messages } of rows) open.set(user_id, messages)
  }
  return open
}

export interface NewMessage {
  userId: UserId
  openId: string | null
  permitId: number | null
  cardId: number
  isQueued: boolean
}

/** Why a message that its user has no permit for is cancelled at once. */
const NO_PERMIT = 'not sent: the user has no permit that would be valid then'

/** Inserts messages under a claim of this transaction alone. Returns their ids in the order of the messages. */
export async function insertMessages(
  trx: Knex.Transaction,
  { appId, claimId }: { appId: string; claimId: number },
  messages: NewMessage[],
  now: number,
): Promise<number[]> {
  await execute(
    trx,
    `INSERT INTO wx_push_message (app_id, user_id, open_id, kind, claim_id, permit_id, card_id, state, errmsg,
       created_at, settled_at, updated_at) VALUES ${rowPlaceholders(messages.length, 12)}`,
    messages.flatMap(({ userId, openId, permitId, cardId, isQueued }) => [
      appId,
      userId,
      openId,
      'api',
      claimId,
      permitId,
      cardId,
      isQueued ? 'queued' : 'cancelled',
      isQueued ? null : NO_PERMIT,
      now,
      isQueued ? 0 : now,
      now,
    ]),
  )
  // One statement numbers its rows in their order.
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_push_message${mysqlHint(trx, 'FORCE INDEX (wx_push_message_claim_idx)')}
     WHERE claim_id = ? AND kind = 'api' AND created_at = ? ORDER BY id DESC LIMIT ?`,
    [claimId, now, messages.length],
  )
  return rows.map(({ id }) => id).reverse()
}

export interface NewSubmitted {
  id: number
  submittedBy: string
  userId: UserId
  templateId: string
  state: 'open' | 'no_permit'
  page: string
  data: string
  notBefore: number
  notAfter: number
}

/** What submitted messages have beside their rows. `messages` are at most some hundred. */
export function insertingSubmitted(appId: string, messages: NewSubmitted[], now: number): Statement {
  return {
    sql: `INSERT INTO wx_submitted_message (message_id, app_id, user_id, template_id, state, page, data, not_before,
       not_after, submitted_by, created_at, updated_at) VALUES ${rowPlaceholders(messages.length, 12)}`,
    bindings: messages.flatMap((m) => [
      m.id,
      appId,
      m.userId,
      m.templateId,
      m.state,
      m.page,
      m.data,
      m.notBefore,
      m.notAfter,
      m.submittedBy,
      now,
      now,
    ]),
  }
}
