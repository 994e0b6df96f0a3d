import type { Knex } from 'knex'
import type { PermitSource } from '../books/index.js'
import type { Channel } from '../channel.js'
import {
  byPrimaryKey,
  databaseNow,
  execute,
  forUpdateSkipLocked,
  inThisOrder,
  isSqlite,
  mysqlHint,
  placeholders,
  rowPlaceholders,
  selectRows,
} from '../db/sql.js'
import { withoutContention } from '../db/transaction.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import type { TemplateData } from '../wechat/messages.js'
import type { HeldMessage, Lease } from './message.js'
import { renderReminder } from './text.js'

/** Statements on messages held by a process: claims, takeovers, and retries. */

/** Adds a claim with a fresh lease, for messages of the same transaction. */
export async function openClaim(
  trx: Knex.Transaction,
  appId: string,
  leaseMs: number,
  now: number,
): Promise<Lease> {
  const deadline = performance.now() + leaseMs
  const { insertId } = await execute(
    trx,
    `INSERT INTO wx_claim (app_id, lease_until, created_at) VALUES (?, ${databaseNow(trx)} + ?, ?)`,
    [appId, leaseMs, now],
  )
  return { claimId: insertId, deadline }
}

/** Extends leases to their full length from now. Returns the claims that are still there. */
export async function renewClaims(db: Knex, claimIds: number[], leaseMs: number): Promise<number[]> {
  const list = placeholders(claimIds.length)
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_claim SET lease_until = ${databaseNow(db)} + ? WHERE id IN (${list})`,
    [leaseMs, ...claimIds],
  )
  if (affectedRows === claimIds.length) return claimIds
  const rows = await selectRows<{ id: number }>(db, `SELECT id FROM wx_claim WHERE id IN (${list})`, claimIds)
  return rows.map(({ id }) => id)
}

/** Deletes claims of which no message is in anybody's hands any more. */
export async function closeClaims(db: Knex, claimIds: number[]): Promise<void> {
  if (claimIds.length === 0) return
  await execute(db, `DELETE FROM wx_claim WHERE id IN (${placeholders(claimIds.length)})`, claimIds)
}

/**
 * Records that the requests of these messages may leave from now on. Returns for each whether its claimer still holds
 * it: a message that was taken over is not marked, and must not be sent.
 */
export async function markSending(db: Knex, messages: HeldMessage[]): Promise<boolean[]> {
  const marked = new Set<number>()
  for (const [claimId, group] of groupBy(messages, ({ lease }) => lease.claimId)) {
    const ids = sortedUnique(group.map(({ id }) => id))
    for (const id of await withoutContention(() => markSendingOf(db, claimId, ids))) marked.add(id)
  }
  return messages.map(({ id }) => marked.has(id))
}

async function markSendingOf(db: Knex, claimId: number, ids: number[]): Promise<number[]> {
  const mine = `id IN (${placeholders(ids.length)}) AND claim_id = ?`
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_push_message${byPrimaryKey(db)} SET state = 'sending' WHERE ${mine} AND state = 'queued'`,
    [...ids, claimId],
  )
  if (affectedRows === ids.length) return ids
  const rows = await selectRows<{ id: number }>(
    db,
    `SELECT id FROM wx_push_message${byPrimaryKey(db)} WHERE ${mine} AND state = 'sending'`,
    [...ids, claimId],
  )
  return rows.map(({ id }) => id)
}

/** Locks claims whose holder let the lease lapse. Uses wx_claim_lease_idx. */
export async function lockLapsedClaims(
  trx: Knex.Transaction,
  appId: string,
  limit: number,
): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_claim WHERE app_id = ? AND lease_until < ${databaseNow(trx)}
     ORDER BY lease_until LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, limit],
  )
  return rows.map(({ id }) => id)
}

/** Locks messages of a claim that are still in its holder's hands. Uses wx_push_message_claim_idx. */
export async function lockOfClaim(trx: Knex.Transaction, claimId: number, limit: number): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_push_message${mysqlHint(trx, 'FORCE INDEX (wx_push_message_claim_idx)')}
     WHERE claim_id = ? AND state IN ('queued', 'sending') ORDER BY id LIMIT ?${forUpdateSkipLocked(trx)}`,
    [claimId, limit],
  )
  return rows.map(({ id }) => id)
}

/** Whether any message of a claim is in its holder's hands, locked or not. */
export async function hasOpenMessages(db: Knex, claimId: number): Promise<boolean> {
  const rows = await selectRows(
    db,
    `SELECT 1 FROM wx_push_message${mysqlHint(db, 'FORCE INDEX (wx_push_message_claim_idx)')}
     WHERE claim_id = ? AND state IN ('queued', 'sending') LIMIT 1`,
    [claimId],
  )
  return rows.length > 0
}

/** Locks and ends the waits of messages whose next attempt is due. Uses wx_message_retry_due_idx. */
export async function takeDueRetries(
  trx: Knex.Transaction,
  appId: string,
  now: number,
  limit: number,
): Promise<number[]> {
  const rows = await selectRows<{ message_id: number }>(
    trx,
    `SELECT message_id FROM wx_message_retry WHERE app_id = ? AND next_attempt_at <= ?
     ORDER BY next_attempt_at LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, now, limit],
  )
  const ids = sortedUnique(rows.map(({ message_id }) => message_id))
  await endWaits(trx, ids)
  return ids
}

/** A message in state `retry` and the time of its next attempt. */
export interface Wait {
  id: number
  nextAttemptAt: number
}

/** Lets messages in state `retry` wait until their next attempt is due. */
export async function addWaits(trx: Knex.Transaction, appId: string, waits: Wait[]): Promise<void> {
  if (waits.length === 0) return
  // A row may be there already if someone has changed the message's state by hand.
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (message_id) DO UPDATE SET next_attempt_at = excluded.next_attempt_at'
    : 'ON DUPLICATE KEY UPDATE next_attempt_at = VALUES(next_attempt_at)'
  await execute(
    trx,
    `INSERT INTO wx_message_retry (message_id, app_id, next_attempt_at)
     VALUES ${rowPlaceholders(waits.length, 3)} ${onDuplicate}`,
    waits.flatMap(({ id, nextAttemptAt }) => [id, appId, nextAttemptAt]),
  )
}

/** `ids` must be sorted. */
export async function endWaits(trx: Knex.Transaction, ids: number[]): Promise<void> {
  if (ids.length === 0) return
  await execute(trx, `DELETE FROM wx_message_retry WHERE message_id IN (${placeholders(ids.length)})`, ids)
}

/** Gives stranded messages a claim whose lease is over, or a retry that is due: the next takeover finds them. */
export async function takeUp(
  trx: Knex.Transaction,
  appId: string,
  { inHand, waiting }: { inHand: number[]; waiting: number[] },
  now: number,
): Promise<void> {
  await addWaits(
    trx,
    appId,
    waiting.map((id) => ({ id, nextAttemptAt: now })),
  )
  if (inHand.length === 0) return
  const { claimId } = await openClaim(trx, appId, 0, now)
  await execute(
    trx,
    `UPDATE wx_push_message SET claim_id = ?
     WHERE id IN (${placeholders(inHand.length)}) AND state IN ('queued', 'sending')`,
    [claimId, ...inHand],
  )
}

/**
 * Makes locked messages ours: a new claim, and `queued`, since no request of ours has left. A message
 * that lapsed while `sending` was attempted, and may have reached WeChat. `state` comes last because MySQL sets
 * columns from left to right (SQLite sets them all at once). A message that has been settled by hand stays so.
 */
export async function makeOurs(
  trx: Knex.Transaction,
  ids: number[],
  { claimId }: Lease,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET claim_id = ?,
       attempts = CASE WHEN state = 'sending' THEN attempts + 1 ELSE attempts END,
       maybe_sent = CASE WHEN state = 'sending' THEN 1 ELSE maybe_sent END,
       updated_at = ?, state = 'queued'
     WHERE id IN (${placeholders(ids.length)}) AND state IN ('queued', 'sending', 'retry')`,
    [claimId, now, ...ids],
  )
}

/** Finds those of these reminders whose user has signed in on that day or is not to be reminded any more, and why. */
export async function findUnwanted(
  trx: Knex.Transaction,
  ids: number[],
): Promise<Map<number, 'signed_in' | 'stopped'>> {
  const rows = await selectRows<{ id: number; why: 'signed_in' | 'stopped' }>(
    trx,
    `SELECT m.id, CASE WHEN s.user_id IS NULL THEN 'stopped' ELSE 'signed_in' END AS why FROM wx_push_message m
     LEFT JOIN wx_sign_in s${mysqlHint(trx, 'FORCE INDEX (PRIMARY)')}
       ON s.app_id = m.app_id AND s.user_id = m.user_id AND s.day = m.business_date
     LEFT JOIN wx_user u${mysqlHint(trx, 'IGNORE INDEX (PRIMARY)')}
       ON u.app_id = m.app_id AND u.user_id = m.user_id AND (u.opted_out_at IS NOT NULL OR u.blocked_at IS NOT NULL)
     WHERE m.id IN (${placeholders(ids.length)}) AND m.kind = 'reminder'
       AND (s.user_id IS NOT NULL OR u.open_id IS NOT NULL)`,
    ids,
  )
  return new Map(rows.map(({ id, why }) => [id, why]))
}

interface HeldRow {
  id: number
  state: 'queued' | 'sending'
  app_id: string
  user_id: UserId
  open_id: string | null
  channel: Channel
  template_id: string
  page: string
  data: string
  streak: number
  permit_id: number
  form_id: string | null
  source: PermitSource | null
  attempts: number
  maybe_sent: number
  business_date: number | null
  run_id: number | null
  created_at: number
}

/** Reads the messages of these that a claim holds, as they are to be sent, each with the permit that it keeps. */
export async function findHeld(trx: Knex.Transaction, ids: number[], lease: Lease): Promise<HeldMessage[]> {
  const rows = await selectRows<HeldRow>(
    trx,
    `SELECT m.id, m.state, m.app_id, m.user_id, COALESCE(m.open_id, f.open_id) AS open_id, c.channel, c.template_id,
       c.page, c.data, m.streak, m.permit_id, f.form_id, f.source, m.attempts, m.maybe_sent, m.business_date, m.run_id,
       m.created_at
     FROM wx_push_message m JOIN wx_card c ON c.id = m.card_id LEFT JOIN wx_save_form_id f ON f.id = m.permit_id
     WHERE m.id IN (${placeholders(ids.length)}) AND m.claim_id = ? ORDER BY m.id`,
    [...ids, lease.claimId],
  )
  return rows.map((row) => ({
    id: row.id,
    lease,
    state: row.state,
    appId: row.app_id,
    userId: row.user_id,
    openId: row.open_id ?? '',
    channel: row.channel,
    templateId: row.template_id,
    page: row.page,
    data: render(row),
    permitId: row.permit_id,
    formId: row.form_id ?? '',
    permitSource: row.source,
    attempts: row.attempts,
    maybeSent: row.maybe_sent === 1,
    businessDate: row.business_date,
    runId: row.run_id,
    createdAt: row.created_at,
  }))
}

/** The texts of a message without a day are literal. */
function render({ data, business_date: date, streak }: HeldRow): TemplateData {
  const texts = JSON.parse(data) as Record<string, string>
  if (date !== null) return renderReminder(texts, { date, streak })
  return Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, { value }]))
}

/**
 * Finds what keeps the account's reminders from being finished: messages held by a process, and the next retry's
 * time.
 */
export async function findUnfinished(
  db: Knex,
  appId: string,
): Promise<{ sending: boolean; nextRetryAt: number | undefined }> {
  const held = await selectRows(
    db,
    `SELECT 1 FROM wx_claim c ${inThisOrder(db)} wx_push_message m ON m.claim_id = c.id
     WHERE c.app_id = ? AND m.state IN ('queued', 'sending') LIMIT 1`,
    [appId],
  )
  const [retry] = await selectRows<{ next_attempt_at: number }>(
    db,
    'SELECT next_attempt_at FROM wx_message_retry WHERE app_id = ? ORDER BY next_attempt_at LIMIT 1',
    [appId],
  )
  return { sending: held.length > 0, nextRetryAt: retry?.next_attempt_at }
}
