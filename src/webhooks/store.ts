import type { Knex } from 'knex'
import { execute, forUpdateSkipLocked, isSqlite, placeholders, selectRows } from '../db/sql.js'
import type { WebhookEvent } from '../messages/webhook-store.js'

/** The statements that deliver what backends are told. */

export interface Due {
  id: number
  message_id: number
  event: WebhookEvent
  attempts: number
  created_at: number
}

/** Notes whether an account has a webhook: from then on its events are written down, or are not. */
export async function setWebhook(db: Knex, appId: string, isSet: boolean, now: number): Promise<void> {
  if (!isSet) {
    await execute(db, 'DELETE FROM wx_webhook WHERE app_id = ?', [appId])
    return
  }
  const ignore = isSqlite(db) ? 'OR IGNORE' : 'IGNORE'
  await execute(db, `INSERT ${ignore} INTO wx_webhook (app_id, created_at) VALUES (?, ?)`, [appId, now])
}

/** Uses wx_webhook_delivery_due_idx. */
export async function hasDue(db: Knex, appId: string, now: number): Promise<boolean> {
  const rows = await selectRows<{ id: number }>(
    db,
    `SELECT id FROM wx_webhook_delivery WHERE app_id = ? AND state = 'waiting' AND next_attempt_at <= ? LIMIT 1`,
    [appId, now],
  )
  return rows.length > 0
}

/** Locks what is due and in no other transaction's hands, the longest due first. Uses wx_webhook_delivery_due_idx. */
export function lockDue(trx: Knex.Transaction, appId: string, now: number, limit: number): Promise<Due[]> {
  return selectRows<Due>(
    trx,
    `SELECT id, message_id, event, attempts, created_at FROM wx_webhook_delivery
     WHERE app_id = ? AND state = 'waiting' AND next_attempt_at <= ?
     ORDER BY next_attempt_at LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, now, limit],
  )
}

export interface Waiting {
  id: number
  message_id: number
  next_attempt_at: number
}

/** All that waits of these messages, in the order of the events. Uses wx_webhook_delivery_message_idx. */
export function findWaiting(trx: Knex.Transaction, messageIds: number[]): Promise<Waiting[]> {
  return selectRows<Waiting>(
    trx,
    `SELECT id, message_id, next_attempt_at FROM wx_webhook_delivery
     WHERE message_id IN (${placeholders(messageIds.length)}) AND state = 'waiting' ORDER BY message_id, id`,
    messageIds,
  )
}

/** Begins an attempt of each. If this process dies in it, they are due again when the lease is over. */
export async function beginAttempts(trx: Knex.Transaction, ids: number[], leaseUntil: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_webhook_delivery SET attempts = attempts + 1, next_attempt_at = ?, lease_until = ?
     WHERE id IN (${placeholders(ids.length)})`,
    [leaseUntil, leaseUntil, ...ids],
  )
}

export async function postpone(trx: Knex.Transaction, id: number, until: number): Promise<void> {
  await execute(trx, 'UPDATE wx_webhook_delivery SET next_attempt_at = ? WHERE id = ?', [until, id])
}

export interface Answered {
  id: number
  /** Including this one. */
  attempts: number
  status: number | null
  error: string | null
}

/** Ends a delivery. A failure ends it only for whoever made its last attempt. Returns false if that was another one. */
export async function end(
  trx: Knex.Transaction,
  state: 'delivered' | 'failed',
  { id, attempts, status, error }: Answered,
  now: number,
): Promise<boolean> {
  const { affectedRows } = await execute(
    trx,
    `UPDATE wx_webhook_delivery SET state = ?, lease_until = 0, http_status = ?, error = ?, ended_at = ?
     WHERE id = ? AND state = 'waiting' AND (attempts = ? OR ? = 'delivered')`,
    [state, status, error, now, id, attempts, state],
  )
  return affectedRows > 0
}

/** Lets the next event of a message go out, which waited for the one before it. */
export async function releaseNext(trx: Knex.Transaction, messageId: number, now: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_webhook_delivery SET next_attempt_at = ?
     WHERE message_id = ? AND state = 'waiting' AND lease_until = 0 AND attempts = 0`,
    [now, messageId],
  )
}

/** Notes when it is tried again. Returns false if another process has begun an attempt since. */
export async function tryAgain(
  db: Knex,
  { id, attempts, status, error }: Answered,
  nextAttemptAt: number,
): Promise<boolean> {
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_webhook_delivery SET next_attempt_at = ?, lease_until = 0, http_status = ?, error = ?
     WHERE id = ? AND state = 'waiting' AND attempts = ?`,
    [nextAttemptAt, status, error, id, attempts],
  )
  return affectedRows > 0
}

/** Makes a delivery due again, with all its attempts. One that a process has in hand is left to it. */
export async function reopen(db: Knex, appId: string, id: number, now: number): Promise<boolean> {
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_webhook_delivery SET state = 'waiting', attempts = 0, next_attempt_at = ?, lease_until = 0, ended_at = 0
     WHERE id = ? AND app_id = ? AND lease_until <= ?`,
    [now, id, appId, now],
  )
  return affectedRows > 0
}
