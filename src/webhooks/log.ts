import type { Knex } from 'knex'
import { ServiceError } from '../errors.js'
import { isoTime } from '../lib/iso-time.js'
import type { Delivery, DeliveryPage } from './log-schemas.js'
import * as store from './log-store.js'
import { webhookIdOf } from './payload.js'
import { reopen } from './store.js'

/** What a backend was told, or is still to be told, the newest first. */
export async function listDeliveries(db: Knex, appId: string, query: store.LogQuery): Promise<DeliveryPage> {
  const rows = await store.findDeliveries(db, appId, query)
  const last = rows.at(-1)
  return { items: rows.map(toJson), next: rows.length < query.limit || !last ? null : String(last.id) }
}

/**
 * Tells a backend again, under the same webhook id, with as many attempts as a new event has. A delivery that is being
 * sent at this moment is left to whoever sends it. Throws `not_found`.
 */
export async function redeliver(db: Knex, appId: string, id: number, now: number): Promise<Delivery> {
  await reopen(db, appId, id, now)
  const row = await store.findDelivery(db, appId, id)
  if (!row) throw new ServiceError('not_found', `There is no webhook delivery ${id}; old ones are deleted`)
  return toJson(row)
}

function toJson(row: store.DeliveryRow): Delivery {
  const isOver = row.state !== 'waiting'
  return {
    id: row.id,
    webhook_id: webhookIdOf(row),
    type: `message.${row.event}`,
    message_id: row.message_id,
    state: row.state,
    attempts: row.attempts,
    http_status: row.http_status,
    error: row.error,
    next_attempt_at: isOver ? null : isoTime(row.next_attempt_at),
    created_at: isoTime(row.created_at),
    ended_at: isOver ? isoTime(row.ended_at) : null,
  }
}
