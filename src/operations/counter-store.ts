import type { Knex } from 'knex'
import { mysqlHint, placeholders, selectRows, type Value } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/** Users after `after`, up to and with `upTo`. */
export interface UserRange {
  after: UserId
  upTo: UserId
}

/**
 * The user up to whom there are `users` counters and `permits` permits after `after`, whichever comes first; undefined
 * if neither table has so many left. Uses the keys by user of both.
 */
export async function findPageEnd(
  db: Knex,
  appId: string,
  after: UserId,
  { users, permits }: { users: number; permits: number },
): Promise<UserId | undefined> {
  // MySQL would sort all permits of the account, found by the key of expiry.
  const byUser = mysqlHint(db, 'FORCE INDEX (PRIMARY)')
  const nth = (table: string) =>
    `SELECT * FROM (SELECT user_id FROM ${table}${byUser} WHERE user_id > ? AND app_id = ? ORDER BY user_id LIMIT 1 OFFSET ?) AS of_${table}`
  const rows = await selectRows<{ user_id: UserId }>(
    db,
    `${nth('wx_message_push_status')} UNION ALL ${nth('wx_save_form_id')} ORDER BY user_id LIMIT 1`,
    [after, appId, users - 1, after, appId, permits - 1],
  )
  return rows[0]?.user_id
}

/**
 * Users of a range whose counter is not the number of their unspent permits, those with permits and no counter
 * included. One statement, so it sees counters and permits as of one moment.
 */
export function findWrongInRange(
  db: Knex,
  appId: string,
  { after, upTo }: UserRange,
  limit: number,
): Promise<UserId[]> {
  return findWrong(db, 'user_id > ? AND user_id <= ?', [appId, after, upTo], limit)
}

/** Those of these users whose counter is wrong. */
export async function findStillWrong(db: Knex, appId: string, userIds: UserId[]): Promise<UserId[]> {
  if (userIds.length === 0) return []
  return findWrong(db, `user_id IN (${placeholders(userIds.length)})`, [appId, ...userIds], userIds.length)
}

async function findWrong(db: Knex, which: string, bindings: Value[], limit: number): Promise<UserId[]> {
  const rows = await selectRows<{ user_id: UserId }>(
    db,
    `SELECT user_id FROM (
       SELECT user_id, count, 0 AS permit FROM wx_message_push_status WHERE app_id = ? AND ${which}
       UNION ALL SELECT user_id, NULL, 1 FROM wx_save_form_id WHERE app_id = ? AND ${which} AND status = 0) AS both_sides
     GROUP BY user_id HAVING COALESCE(MAX(count), -1) <> SUM(permit) ORDER BY user_id LIMIT ?`,
    [...bindings, ...bindings, limit],
  )
  return rows.map(({ user_id }) => user_id)
}
