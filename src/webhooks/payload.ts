import type { Knex } from 'knex'
import { isoTime } from '../lib/iso-time.js'
import type { WebhookEvent } from '../messages/webhook-store.js'
import { findMessage } from '../submitted/status.js'
import type { SubmittedMessage } from '../submitted/status-schemas.js'

/** What the backend is told, as JSON. */
export interface WebhookPayload {
  /** The same in every attempt: by it the receiver knows what it has already been told. */
  id: string
  type: `message.${WebhookEvent}`
  /** When it happened. */
  created_at: string
  app_id: string
  /** As it stands when the request is made: GET /v1/messages/{id}. */
  message: SubmittedMessage
}

/** Ids begin anew after an old dump was restored, so the id alone might have been another event's. */
export function webhookIdOf({ id, created_at }: { id: number; created_at: number }): string {
  return `event-${id}-${created_at}`
}

/** Throws `not_found` if the message was deleted. */
export async function readPayload(
  db: Knex,
  appId: string,
  delivery: { id: number; message_id: number; event: WebhookEvent; created_at: number },
): Promise<WebhookPayload> {
  return {
    id: webhookIdOf(delivery),
    type: `message.${delivery.event}`,
    created_at: isoTime(delivery.created_at),
    app_id: appId,
    message: await findMessage(db, appId, delivery.message_id),
  }
}
