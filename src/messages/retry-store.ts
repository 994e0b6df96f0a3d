import type { Knex } from 'knex'
import {
  execute,
  forUpdateSkipLocked,
  isSqlite,
  MAX_LIST,
  mysqlHint,
  placeholders,
  rowPlaceholders,
  selectRows,
} from '../db/sql.js'
import type { Statement } from '../db/together.js'
import { chunks } from '../lib/chunks.js'
import { sortedUnique } from '../lib/sorted.js'
import type { MessageKind } from './message.js'

/** Statements on wx_message_retry: which messages wait for their time or another attempt, and until when. */

/** Locks and ends the waits of reminders whose next attempt is due. Uses wx_message_retry_due_idx. */
export async function takeDueReminders(
  trx: Knex.Transaction,
  appId: string,
  now: number,
  limit: number,
): Promise<number[]> {
  const rows = await selectRows<{ message_id: number }>(
    trx,
    `SELECT message_id FROM wx_message_retry WHERE app_id = ? AND kind = 'reminder' AND next_attempt_at <= ?
     ORDER BY next_attempt_at LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, now, limit],
  )
  const ids = sortedUnique(rows.map(({ message_id }) => message_id))
  await endWaits(trx, ids)
  return ids
}

/** The same of one backend's submitted messages, in the order of their time. Uses wx_message_retry_turn_idx. */
export async function takeDueOf(
  trx: Knex.Transaction,
  { appId, submittedBy }: { appId: string; submittedBy: string },
  now: number,
  limit: number,
): Promise<number[]> {
  const rows = await selectRows<{ message_id: number }>(
    trx,
    `SELECT message_id FROM wx_message_retry${mysqlHint(trx, 'FORCE INDEX (wx_message_retry_turn_idx)')}
     WHERE app_id = ? AND kind = 'api' AND submitted_by = ? AND next_attempt_at <= ?
     ORDER BY next_attempt_at LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, submittedBy, now, limit],
  )
  const ids = rows.map(({ message_id }) => message_id)
  await endWaits(trx, sortedUnique(ids))
  return ids
}

/**
 * The next backend, by name, that has a message waiting, due or not; undefined after the last one. Reads one entry of
 * wx_message_retry_turn_idx, however many messages wait.
 */
export async function findBackendAfter(
  db: Knex,
  appId: string,
  before: string | undefined,
): Promise<string | undefined> {
  const [row] = await selectRows<{ submitted_by: string }>(
    db,
    `SELECT submitted_by FROM wx_message_retry${mysqlHint(db, 'FORCE INDEX (wx_message_retry_turn_idx)')}
     WHERE app_id = ? AND kind = 'api'${before === undefined ? '' : ' AND submitted_by > ?'}
     ORDER BY submitted_by LIMIT 1`,
    before === undefined ? [appId] : [appId, before],
  )
  return row?.submitted_by
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
  /** Name of the API key; '' for a reminder. */
  submittedBy: string
  nextAttemptAt: number
}

/** Lets messages wait until their next attempt is due. */
export async function addWaits(trx: Knex.Transaction, appId: string, waits: Wait[]): Promise<void> {
  for (const { sql, bindings } of addingWaits(trx, appId, waits)) await execute(trx, sql, bindings)
}

/** The statements of addWaits. */
export function addingWaits(db: Knex, appId: string, waits: Wait[]): Statement[] {
  // A row may be there already if someone has changed the message's state by hand.
  const onDuplicate = isSqlite(db)
    ? 'ON CONFLICT (message_id) DO UPDATE SET next_attempt_at = excluded.next_attempt_at'
    : 'ON DUPLICATE KEY UPDATE next_attempt_at = VALUES(next_attempt_at)'
  return chunks(waits, MAX_LIST).map((chunk) => ({
    sql: `INSERT INTO wx_message_retry (message_id, app_id, kind, submitted_by, next_attempt_at)
     VALUES ${rowPlaceholders(chunk.length, 5)} ${onDuplicate}`,
    bindings: chunk.flatMap(({ id, kind, submittedBy, nextAttemptAt }) => [
      id,
      appId,
      kind,
      submittedBy,
      nextAttemptAt,
    ]),
  }))
}

/** Who submitted these messages, as far as backends did. */
export async function findSubmitters(db: Knex, ids: number[]): Promise<Map<number, string>> {
  if (ids.length === 0) return new Map()
  const rows = await selectRows<{ message_id: number; submitted_by: string }>(
    db,
    `SELECT message_id, submitted_by FROM wx_submitted_message WHERE message_id IN (${placeholders(ids.length)})`,
    ids,
  )
  return new Map(rows.map(({ message_id, submitted_by }) => [message_id, submitted_by]))
}

/** `ids` must be sorted. */
export async function endWaits(trx: Knex.Transaction, ids: number[]): Promise<void> {
  if (ids.length === 0) return
  await execute(trx, `DELETE FROM wx_message_retry WHERE message_id IN (${placeholders(ids.length)})`, ids)
}
