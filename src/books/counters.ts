import type { Knex } from 'knex'
import {
  execute,
  forUpdate,
  isSqlite,
  MAX_LIST,
  placeholders,
  rowPlaceholders,
  selectRows,
} from '../db/sql.js'
import type { Statement } from '../db/together.js'
import { chunks } from '../lib/chunks.js'
import type { UserId } from '../lib/user-id.js'

/** The counter half of every verb. Nothing outside this folder calls it: a counter never moves alone. */

export interface CounterChange {
  appId: string
  userId: UserId
  by: number
}

/** Locks counters by ascending user. `userIds` must be sorted. `lock`: forUpdate, or forUpdateNowait. */
export async function lockCounters(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
  lock = forUpdate,
): Promise<void> {
  await selectRows(
    trx,
    `SELECT user_id FROM wx_message_push_status WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)})
     ORDER BY user_id${lock(trx)}`,
    [appId, ...userIds],
  )
}

/** Counts users up, creating their row with the first permit. `changes` must be sorted by account and user. */
export async function countUp(trx: Knex.Transaction, changes: CounterChange[], now: number): Promise<void> {
  for (const { sql, bindings } of countingUp(trx, changes, now)) await execute(trx, sql, bindings)
}

/** The statements of countUp. */
export function countingUp(db: Knex, changes: CounterChange[], now: number): Statement[] {
  const onDuplicate = isSqlite(db)
    ? 'ON CONFLICT (app_id, user_id) DO UPDATE SET count = count + excluded.count, updated_at = excluded.updated_at'
    : 'ON DUPLICATE KEY UPDATE count = count + VALUES(count), updated_at = VALUES(updated_at)'
  return chunks(changes, MAX_LIST).map((chunk) => ({
    sql: `INSERT INTO wx_message_push_status (app_id, user_id, count, created_at, updated_at)
       VALUES ${rowPlaceholders(chunk.length, 5)} ${onDuplicate}`,
    bindings: chunk.flatMap((change) => [change.appId, change.userId, change.by, now, now]),
  }))
}

/** Counts users down by the same amount. A counter that was set too low by hand stops at 0; the audit reports it. */
export async function countDown(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
  by: number,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_message_push_status SET count = CASE WHEN count > ? THEN count - ? ELSE 0 END, updated_at = ?
     WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)})`,
    [by, by, now, appId, ...userIds],
  )
}

/** Counts the rows of each user. */
export function countByUser(rows: { user_id: UserId }[]): Map<UserId, number> {
  const counts = new Map<UserId, number>()
  for (const { user_id } of rows) counts.set(user_id, (counts.get(user_id) ?? 0) + 1)
  return counts
}
