import type { Knex } from 'knex'
import { mysqlHint, selectRows, type Value } from '../db/sql.js'
import type { WebhookEvent } from '../messages/webhook-store.js'

/** The statements that show what backends were told. */

export interface DeliveryRow {
  id: number
  message_id: number
  event: WebhookEvent
  state: 'waiting' | 'delivered' | 'failed'
  attempts: number
  next_attempt_at: number
  lease_until: number
  http_status: number | null
  error: string | null
  created_at: number
  ended_at: number
}

const COLUMNS = `id, message_id, event, state, attempts, next_attempt_at, lease_until, http_status, error, created_at,
  ended_at`

export interface LogQuery {
  state?: DeliveryRow['state'] | undefined
  messageId?: number | undefined
  limit: number
  /** The id of the last one of the page before. */
  before?: number | undefined
}

/** The newest first. A message has few; otherwise the account's are read by an index that ends with the id. */
export function findDeliveries(
  db: Knex,
  appId: string,
  { state, messageId, limit, before = Number.MAX_SAFE_INTEGER }: LogQuery,
): Promise<DeliveryRow[]> {
  const { index, sql, bindings } = rangeOf({ state, messageId })
  return selectRows<DeliveryRow>(
    db,
    `SELECT ${COLUMNS} FROM wx_webhook_delivery${mysqlHint(db, `FORCE INDEX (${index})`)}
     WHERE app_id = ?${sql} AND id < ? ORDER BY id DESC LIMIT ?`,
    [appId, ...bindings, before, limit],
  )
}

function rangeOf({ state, messageId }: Pick<LogQuery, 'state' | 'messageId'>): {
  index: string
  sql: string
  bindings: Value[]
} {
  const ofState =
    state === undefined ? { sql: '', bindings: [] } : { sql: ' AND state = ?', bindings: [state] }
  if (messageId !== undefined)
    return {
      index: 'wx_webhook_delivery_message_idx',
      sql: ` AND message_id = ?${ofState.sql}`,
      bindings: [messageId, ...ofState.bindings],
    }
  const index = state === undefined ? 'wx_webhook_delivery_app_idx' : 'wx_webhook_delivery_state_idx'
  return { index, ...ofState }
}

export async function findDelivery(db: Knex, appId: string, id: number): Promise<DeliveryRow | undefined> {
  const [row] = await selectRows<DeliveryRow>(
    db,
    `SELECT ${COLUMNS} FROM wx_webhook_delivery WHERE id = ? AND app_id = ?`,
    [id, appId],
  )
  return row
}

/** The oldest event that the backend has not been told of. Uses wx_webhook_delivery_state_idx. */
export async function findOldestWaiting(db: Knex, appId: string): Promise<DeliveryRow | undefined> {
  const [row] = await selectRows<DeliveryRow>(
    db,
    `SELECT ${COLUMNS} FROM wx_webhook_delivery${mysqlHint(db, 'FORCE INDEX (wx_webhook_delivery_state_idx)')}
     WHERE app_id = ? AND state = 'waiting' ORDER BY id LIMIT 1`,
    [appId],
  )
  return row
}
