import type { Knex } from 'knex'
import type { PermitSource } from '../books/index.js'
import type { Channel } from '../channel.js'
import { databaseNow, execute, forUpdateSkipLocked, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import { withoutContention } from '../db/transaction.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import type { TemplateData } from '../wechat/messages.js'
import type { HeldMessage } from './message.js'

/** Statements on messages held by a process: leases, takeovers, and retries. */

/** Extends leases to their full length from now. Messages that another process has taken over stay with it. */
export async function renewLeases(db: Knex, fence: number, ids: number[], leaseMs: number): Promise<void> {
  await execute(
    db,
    `UPDATE wx_push_message SET lease_until = ${databaseNow(db)} + ${leaseMs}
     WHERE id IN (${placeholders(ids.length)}) AND fence = ? AND state IN ('queued', 'sending')`,
    [...ids, fence],
  )
}

/**
 * Records that the requests of these messages may leave from now on. Returns for each whether its claimer still holds
 * it: a message that was taken over is not marked, and must not be sent.
 */
export async function markSending(db: Knex, messages: HeldMessage[]): Promise<boolean[]> {
  const marked = new Set<number>()
  for (const [fence, group] of groupBy(messages, (message) => message.fence)) {
    const ids = sortedUnique(group.map(({ id }) => id))
    for (const id of await withoutContention(() => markSendingOf(db, fence, ids))) marked.add(id)
  }
  return messages.map(({ id }) => marked.has(id))
}

async function markSendingOf(db: Knex, fence: number, ids: number[]): Promise<number[]> {
  const mine = `id IN (${placeholders(ids.length)}) AND fence = ?`
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_push_message SET state = 'sending' WHERE ${mine} AND state = 'queued'`,
    [...ids, fence],
  )
  if (affectedRows === ids.length) return ids
  const rows = await selectRows<{ id: number }>(
    db,
    `SELECT id FROM wx_push_message WHERE ${mine} AND state = 'sending'`,
    [...ids, fence],
  )
  return rows.map(({ id }) => id)
}

/**
 * Locks messages whose holder let the lease lapse. They are ordered by lease, not by id: by id, every lapsed row
 * would be sorted and locked for the few that are wanted. Uses wx_push_message_lease_idx.
 */
export async function lockLapsed(trx: Knex.Transaction, appId: string, limit: number): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_push_message
     WHERE app_id = ? AND lease_until < ${databaseNow(trx)} AND state IN ('queued', 'sending')
     ORDER BY lease_until LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, limit],
  )
  return rows.map(({ id }) => id)
}

/** Locks messages whose next attempt is due. Uses wx_push_message_retry_idx. */
export async function lockRetryDue(
  trx: Knex.Transaction,
  appId: string,
  now: number,
  limit: number,
): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_push_message WHERE app_id = ? AND next_attempt_at <= ? AND state = 'retry'
     ORDER BY next_attempt_at LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, now, limit],
  )
  return rows.map(({ id }) => id)
}

/**
 * Makes locked messages ours: a new fence, a new lease, and `queued`, since no request of ours has left. A message
 * that lapsed while `sending` was attempted, and may have reached WeChat. `state` comes last because MySQL sets
 * columns from left to right (SQLite sets them all at once).
 */
export async function makeOurs(
  trx: Knex.Transaction,
  ids: number[],
  leaseMs: number,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET fence = fence + 1,
       attempts = CASE WHEN state = 'sending' THEN attempts + 1 ELSE attempts END,
       maybe_sent = CASE WHEN state = 'sending' THEN 1 ELSE maybe_sent END,
       next_attempt_at = NULL, lease_until = ${databaseNow(trx)} + ${leaseMs}, updated_at = ?, state = 'queued'
     WHERE id IN (${placeholders(ids.length)})`,
    [now, ...ids],
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
  fence: number
  state: 'queued' | 'sending'
  app_id: string
  user_id: UserId
  open_id: string
  channel: Channel
  template_id: string
  page: string | null
  data: string
  permit_id: number
  form_id: string | null
  source: PermitSource | null
  attempts: number
  maybe_sent: number
  business_date: number | null
  run_id: number | null
  trace_id: string
  created_at: number
}

/** Reads messages as they are to be sent, each with the permit that it keeps. */
export async function findHeld(
  trx: Knex.Transaction,
  ids: number[],
  leaseDeadline: number,
): Promise<HeldMessage[]> {
  const rows = await selectRows<HeldRow>(
    trx,
    `SELECT m.id, m.fence, m.state, m.app_id, m.user_id, m.open_id, m.channel, m.template_id, m.page, m.data, m.permit_id,
       f.form_id, f.source, m.attempts, m.maybe_sent, m.business_date, m.run_id, m.trace_id, m.created_at
     FROM wx_push_message m LEFT JOIN wx_save_form_id f ON f.id = m.permit_id
     WHERE m.id IN (${placeholders(ids.length)}) ORDER BY m.id`,
    ids,
  )
  return rows.map((row) => ({
    id: row.id,
    fence: row.fence,
    state: row.state,
    appId: row.app_id,
    userId: row.user_id,
    openId: row.open_id,
    channel: row.channel,
    templateId: row.template_id,
    page: row.page ?? '',
    data: JSON.parse(row.data) as TemplateData,
    permitId: row.permit_id,
    formId: row.form_id ?? '',
    permitSource: row.source,
    attempts: row.attempts,
    maybeSent: row.maybe_sent === 1,
    businessDate: row.business_date,
    runId: row.run_id,
    traceId: row.trace_id,
    createdAt: row.created_at,
    leaseDeadline,
  }))
}

/**
 * Finds what keeps the account's reminders from being finished: messages held by a process, and the next retry's
 * time.
 */
export async function findUnfinished(
  db: Knex,
  appId: string,
): Promise<{ sending: boolean; nextRetryAt: number | undefined }> {
  const sending = await selectRows(
    db,
    `SELECT 1 FROM wx_push_message WHERE app_id = ? AND lease_until > 0 AND kind = 'reminder' LIMIT 1`,
    [appId],
  )
  const [retry] = await selectRows<{ next_attempt_at: number }>(
    db,
    `SELECT next_attempt_at FROM wx_push_message WHERE app_id = ? AND next_attempt_at > 0 AND kind = 'reminder'
     ORDER BY next_attempt_at LIMIT 1`,
    [appId],
  )
  return { sending: sending.length > 0, nextRetryAt: retry?.next_attempt_at }
}
