import type { Knex } from 'knex'
import { execute, placeholders } from '../db/sql.js'
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
  await execute(
    trx,
    `INSERT INTO wx_webhook_delivery (app_id, message_id, event, next_attempt_at, created_at)
     SELECT s.app_id, s.message_id, ?, ?, ? FROM wx_submitted_message s JOIN wx_webhook w ON w.app_id = s.app_id
     WHERE s.message_id IN (${placeholders(ids.length)}) ORDER BY s.message_id`,
    [event, now, now, ...ids],
  )
}
