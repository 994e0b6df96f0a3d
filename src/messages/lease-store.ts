import type { Knex } from 'knex'
import { databaseNow, execute, forUpdateSkipLocked, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { PermitSource } from '../permits/sources.js'
import type { TemplateData } from '../wechat/messages.js'
import type { Channel, Delivery } from './message.js'

/** The statements on messages in somebody's hands: leases, takeovers, and what is to be sent again. */

/** Makes leases last again for as long as a lease is. Those that somebody has taken over stay with them. */
export async function renewLeases(db: Knex, fence: number, ids: number[], leaseMs: number): Promise<void> {
  await execute(
    db,
    `UPDATE wx_push_message SET lease_until = ${databaseNow(db)} + ${leaseMs}
     WHERE id IN (${placeholders(ids.length)}) AND fence = ? AND state = 'sending'`,
    [...ids, fence],
  )
}

/**
 * Locks messages whose holder let the lease lapse. Ordered by lease and not by id: by id, every lapsed row would be
 * sorted and locked for the few that are wanted. Uses wx_push_message_lease_idx:
 * +app_id keeps SQLite from wx_push_message_reminder_uq and all messages of the account, and is nothing to MySQL.
 */
export async function lockLapsed(trx: Knex, appId: string, limit: number): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_push_message WHERE lease_until < ${databaseNow(trx)} AND +app_id = ? AND state = 'sending'
     ORDER BY lease_until LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, limit],
  )
  return rows.map(({ id }) => id)
}

/** Locks messages whose next attempt is due. Uses wx_push_message_retry_idx, see lockLapsed for +app_id. */
export async function lockRetryDue(trx: Knex, appId: string, now: number, limit: number): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_push_message WHERE next_attempt_at <= ? AND +app_id = ? AND state = 'retry'
     ORDER BY next_attempt_at LIMIT ?${forUpdateSkipLocked(trx)}`,
    [now, appId, limit],
  )
  return rows.map(({ id }) => id)
}

/** Makes locked messages ours: a new fence, a new lease. A lapsed attempt counts, and may have reached WeChat. */
export async function takeOver(
  trx: Knex,
  ids: number[],
  from: 'lapsed' | 'retry',
  leaseMs: number,
  now: number,
): Promise<void> {
  const lapsed = from === 'lapsed' ? 1 : 0
  await execute(
    trx,
    `UPDATE wx_push_message SET state = 'sending', fence = fence + 1, attempts = attempts + ?,
       maybe_sent = CASE WHEN ? = 1 THEN 1 ELSE maybe_sent END, next_attempt_at = NULL,
       lease_until = ${databaseNow(trx)} + ${leaseMs}, updated_at = ?
     WHERE id IN (${placeholders(ids.length)})`,
    [lapsed, lapsed, now, ...ids],
  )
}

interface DeliveryRow {
  id: number
  fence: number
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
  trace_id: string
  created_at: number
}

/** Messages as they are to be sent, with the permit that each of them keeps. */
export async function findDeliveries(trx: Knex, ids: number[], leaseDeadline: number): Promise<Delivery[]> {
  const rows = await selectRows<DeliveryRow>(
    trx,
    `SELECT m.id, m.fence, m.app_id, m.user_id, m.open_id, m.channel, m.template_id, m.page, m.data, m.permit_id,
       f.form_id, f.source, m.attempts, m.maybe_sent, m.business_date, m.trace_id, m.created_at
     FROM wx_push_message m LEFT JOIN wx_save_form_id f ON f.id = m.permit_id
     WHERE m.id IN (${placeholders(ids.length)}) ORDER BY m.id`,
    ids,
  )
  return rows.map((row) => ({
    id: row.id,
    fence: row.fence,
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
    traceId: row.trace_id,
    createdAt: row.created_at,
    leaseDeadline,
  }))
}

/** What keeps the account's reminders from being finished: messages in somebody's hands, and when the next retry is due. */
export async function findUnfinished(
  db: Knex,
  appId: string,
): Promise<{ sending: boolean; nextRetryAt: number | undefined }> {
  const sending = await selectRows(
    db,
    `SELECT 1 FROM wx_push_message WHERE lease_until > 0 AND +app_id = ? AND kind = 'reminder' LIMIT 1`,
    [appId],
  )
  const [retry] = await selectRows<{ next_attempt_at: number }>(
    db,
    `SELECT next_attempt_at FROM wx_push_message WHERE next_attempt_at > 0 AND +app_id = ? AND kind = 'reminder'
     ORDER BY next_attempt_at LIMIT 1`,
    [appId],
  )
  return { sending: sending.length > 0, nextRetryAt: retry?.next_attempt_at }
}
