import type { Knex } from 'knex'
import { execute, forUpdate, isSqlite, selectRows } from '../db/sql.js'
import type { BusinessDate } from '../lib/business-date.js'
import type { UserId } from '../lib/user-id.js'

export interface SignInRow {
  day: BusinessDate
  streak: number
}

/** Adds the day's row unless it exists. Returns whether it was added. */
export async function insertDay(
  trx: Knex.Transaction,
  appId: string,
  userId: UserId,
  day: BusinessDate,
  now: number,
): Promise<boolean> {
  const { affectedRows } = await execute(
    trx,
    `INSERT ${isSqlite(trx) ? 'OR IGNORE' : 'IGNORE'} INTO wx_sign_in (app_id, user_id, day, streak, created_at)
     VALUES (?, ?, ?, 1, ?)`,
    [appId, userId, day, now],
  )
  return affectedRows === 1
}

/** The user's days from `from` on, in order, locked. Waits for rows that another transaction is about to add. */
export async function lockDaysFrom(
  trx: Knex.Transaction,
  appId: string,
  userId: UserId,
  from: BusinessDate,
): Promise<SignInRow[]> {
  return selectRows<SignInRow>(
    trx,
    `SELECT day, streak FROM wx_sign_in WHERE app_id = ? AND user_id = ? AND day >= ? ORDER BY day${forUpdate(trx)}`,
    [appId, userId, from],
  )
}

/** The user's first day from `from` on, without locks. By the primary key. */
export async function findFirstFrom(
  db: Knex,
  appId: string,
  userId: UserId,
  from: BusinessDate,
): Promise<SignInRow | undefined> {
  const [row] = await selectRows<SignInRow>(
    db,
    'SELECT day, streak FROM wx_sign_in WHERE app_id = ? AND user_id = ? AND day >= ? ORDER BY day LIMIT 1',
    [appId, userId, from],
  )
  return row
}

export async function setStreak(
  trx: Knex.Transaction,
  appId: string,
  userId: UserId,
  { day, streak }: SignInRow,
): Promise<void> {
  await execute(trx, 'UPDATE wx_sign_in SET streak = ? WHERE app_id = ? AND user_id = ? AND day = ?', [
    streak,
    appId,
    userId,
    day,
  ])
}

/** The user's newest days before one. By the primary key. */
export function findDaysBefore(
  db: Knex,
  appId: string,
  userId: UserId,
  before: BusinessDate,
  limit: number,
): Promise<(SignInRow & { created_at: number })[]> {
  return selectRows(
    db,
    `SELECT day, streak, created_at FROM wx_sign_in WHERE app_id = ? AND user_id = ? AND day < ?
     ORDER BY day DESC LIMIT ?`,
    [appId, userId, before, limit],
  )
}
