import type { Knex } from 'knex'
import {
  execute,
  forUpdateSkipLocked,
  isSqlite,
  placeholders,
  rowPlaceholders,
  selectRows,
} from '../db/sql.js'
import { sortedUnique } from '../lib/sorted.js'
import type { MessageKind } from './message.js'

/** Statements on wx_message_retry: which messages wait for their time or another attempt, and until when. */

/** Locks and ends the waits of messages whose next attempt is due. Uses wx_message_retry_due_idx. */
export async function takeDueRetries(
  trx: Knex.Transaction,
  appId: string,
  kind: MessageKind,
  now: number,
  limit: number,
): Promise<number[]> {
  const rows = await selectRows<{ message_id: number }>(
    trx,
    `SELECT message_id FROM wx_message_retry WHERE app_id = ? AND kind = ? AND next_attempt_at <= ?
     ORDER BY next_attempt_at LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, kind, now, limit],
  )
  const ids = sortedUnique(rows.map(({ message_id }) => message_id))
  await endWaits(trx, ids)
  return ids
}

/** Locks and ends the waits of these messages, sorted by id, except for those that a takeover has locked. */
export async function takeWaits(trx: Knex.Transaction, ids: number[]): Promise<Pick<Wait, 'id' | 'kind'>[]> {
  const rows = await selectRows<Pick<Wait, 'id' | 'kind'>>(
    trx,
    `SELECT message_id AS id, kind FROM wx_message_retry WHERE message_id IN (${placeholders(ids.length)})
     ORDER BY message_id${forUpdateSkipLocked(trx)}`,
    ids,
  )
  await endWaits(
    trx,
    rows.map(({ id }) => id),
  )
  return rows
}

/** A message in state `retry`, or a submitted one that is `queued`, and the time of its next attempt. */
export interface Wait {
  id: number
  kind: MessageKind
  nextAttemptAt: number
}

/** Lets messages wait until their next attempt is due. */
export async function addWaits(trx: Knex.Transaction, appId: string, waits: Wait[]): Promise<void> {
  if (waits.length === 0) return
  // A row may be there already if someone has changed the message's state by hand.
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (message_id) DO UPDATE SET next_attempt_at = excluded.next_attempt_at'
    : 'ON DUPLICATE KEY UPDATE next_attempt_at = VALUES(next_attempt_at)'
  await execute(
    trx,
    `INSERT INTO wx_message_retry (message_id, app_id, kind, next_attempt_at)
     VALUES ${rowPlaceholders(waits.length, 4)} ${onDuplicate}`,
    waits.flatMap(({ id, kind, nextAttemptAt }) => [id, appId, kind, nextAttemptAt]),
  )
}

/** `ids` must be sorted. */
export async function endWaits(trx: Knex.Transaction, ids: number[]): Promise<void> {
  if (ids.length === 0) return
  await execute(trx, `DELETE FROM wx_message_retry WHERE message_id IN (${placeholders(ids.length)})`, ids)
}
