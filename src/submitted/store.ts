import type { Knex } from 'knex'
import { execute, MAX_LIST, mysqlHint, placeholders, rowPlaceholders, selectRows } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'

/** The statements that accept submitted messages. Those that send them are in messages/submitted-store.ts. */

/** The request that was made with a key, if there was one. Uses wx_submission_key_uq. */
export async function findSubmission(
  db: Knex,
  { appId, submittedBy, keyHash }: { appId: string; submittedBy: string; keyHash: string },
): Promise<{ body_hash: string; answer: string } | undefined> {
  const [row] = await selectRows<{ body_hash: string; answer: string }>(
    db,
    'SELECT body_hash, answer FROM wx_submission WHERE app_id = ? AND submitted_by = ? AND key_hash = ?',
    [appId, submittedBy, keyHash],
  )
  return row
}

/** Takes a key. A second transaction with the same one waits for this one, and then meets a duplicate. */
export async function insertSubmission(
  trx: Knex.Transaction,
  of: { appId: string; submittedBy: string; keyHash: string; bodyHash: string },
  now: number,
): Promise<number> {
  const { insertId } = await execute(
    trx,
    `INSERT INTO wx_submission (app_id, submitted_by, key_hash, body_hash, answer, created_at)
     VALUES (?, ?, ?, ?, '', ?)`,
    [of.appId, of.submittedBy, of.keyHash, of.bodyHash, now],
  )
  return insertId
}

export async function writeAnswer(trx: Knex.Transaction, id: number, answer: string): Promise<void> {
  await execute(trx, 'UPDATE wx_submission SET answer = ? WHERE id = ?', [answer, id])
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
  userId: UserId
  templateId: string
  state: 'open' | 'no_permit'
  page: string
  data: string
  notBefore: number
  notAfter: number
}

export async function insertSubmitted(
  trx: Knex.Transaction,
  { appId, submittedBy }: { appId: string; submittedBy: string },
  messages: NewSubmitted[],
  now: number,
): Promise<void> {
  await execute(
    trx,
    `INSERT INTO wx_submitted_message (message_id, app_id, user_id, template_id, state, page, data, not_before,
       not_after, submitted_by, created_at, updated_at) VALUES ${rowPlaceholders(messages.length, 12)}`,
    messages.flatMap((m) => [
      m.id,
      appId,
      m.userId,
      m.templateId,
      m.state,
      m.page,
      m.data,
      m.notBefore,
      m.notAfter,
      submittedBy,
      now,
      now,
    ]),
  )
}
