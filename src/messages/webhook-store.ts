import type { Knex } from 'knex'
import { execute, inThisOrder, mysqlHint, placeholders } from '../db/sql.js'
import type { SubmittedEnd } from './submitted-end.js'

/** What a backend is told of a message that it submitted: how it ended, or that WeChat reported its delivery. */
export type WebhookEvent = SubmittedEnd | 'reported'

/**
 * Writes down that backends are to be told of these messages, where their account has a webhook. In the transaction that
 * changes the messages: so nothing is lost, and nothing is told that did not happen. Ids of reminders add nothing.
 */
export async function addWebhookEvents(
  trx: Knex.Transaction,
  event: WebhookEvent,
  ids: number[],
  now: number,
): Promise<void> {
  // MySQL reads both in full while they are small.
  const byKey = mysqlHint(trx, 'FORCE INDEX (PRIMARY)')
  await execute(
    trx,
    `INSERT INTO wx_webhook_delivery (app_id, message_id, event, next_attempt_at, created_at)
     SELECT s.app_id, s.message_id, ?, ?, ? FROM wx_submitted_message s${byKey}
     ${inThisOrder(trx)} wx_webhook w${byKey} ON w.app_id = s.app_id
     WHERE s.message_id IN (${placeholders(ids.length)}) ORDER BY s.message_id`,
    [event, now, now, ...ids],
  )
}
