import type { Knex } from 'knex'
import { execute, isSqlite, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/**
 * Sets a user's counter to the number of unspent permits while other transactions may be changing them. It locks the
 * counter, as every transaction that changes a permit does before it commits, and then reads the permits without
 * locks. Whatever is committed is already in the counter that was locked; a transaction that has not come that far
 * adds its change to the value set here. Locking the permits would not keep an upload from committing a new one
 * between the read of the permits and the write of the counter.
 */
export async function recountCounter(
  trx: Knex.Transaction,
  appId: string,
  userId: UserId,
  now: number,
): Promise<void> {
  await lockCounter(trx, appId, userId, now)
  const count = await countUnspent(trx, appId, userId)
  await execute(
    trx,
    'UPDATE wx_message_push_status SET count = ?, updated_at = ? WHERE app_id = ? AND user_id = ?',
    [count, now, appId, userId],
  )
}

/** Locks a user's counter, creating it if need be. */
async function lockCounter(trx: Knex.Transaction, appId: string, userId: UserId, now: number): Promise<void> {
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id, user_id) DO NOTHING'
    : 'ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)'
  await execute(
    trx,
    `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
     VALUES (?, ?, 0, 0, ?, ?) ${onDuplicate}`,
    [appId, userId, now, now],
  )
}

/** Reads the user's permits alone. */
async function countUnspent(trx: Knex.Transaction, appId: string, userId: UserId): Promise<number> {
  const [row] = await selectRows<{ permits: number }>(
    trx,
    'SELECT COUNT(*) AS permits FROM wx_save_form_id WHERE app_id = ? AND user_id = ? AND status = 0',
    [appId, userId],
  )
  return row?.permits ?? 0
}
