import type { Knex } from 'knex'
import { execute, isSqlite, rowPlaceholders } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/** The statements on who is not to be sent to: opted_out_at, blocked_at and stop_errcode of wx_user. */

interface Person {
  appId: string
  openId: string
}

/**
 * Records that a person is not to be sent to: asked for it, or cannot be reached at all. A login may have left a row
 * without a user; claims look for stops by user, so it gets one.
 */
export async function recordStop(
  trx: Knex,
  person: { appId: string; openId: string; userId: UserId },
  stop: { kind: 'opt_out' | 'block'; errcode: number },
  now: number,
): Promise<void> {
  const column = stop.kind === 'opt_out' ? 'opted_out_at' : 'blocked_at'
  const onDuplicate = isSqlite(trx)
    ? `ON CONFLICT (app_id, open_id) DO UPDATE SET user_id = COALESCE(user_id, excluded.user_id), ${column} = excluded.${column}, stop_errcode = excluded.stop_errcode, updated_at = excluded.updated_at`
    : `ON DUPLICATE KEY UPDATE user_id = COALESCE(user_id, VALUES(user_id)), ${column} = VALUES(${column}), stop_errcode = VALUES(stop_errcode), updated_at = VALUES(updated_at)`
  await execute(
    trx,
    `INSERT INTO wx_user (app_id, open_id, user_id, ${column}, stop_errcode, created_at, updated_at)
     VALUES ${rowPlaceholders(1, 7)} ${onDuplicate}`,
    [person.appId, person.openId, person.userId, now, stop.errcode, now, now],
  )
}

/** The code stands for the block if there is one too: that is what a follow looks at. */
export async function recordOptOut(
  trx: Knex,
  person: Person & { userId: UserId; errcode: number; at: number },
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_user SET opted_out_at = ?, user_id = COALESCE(user_id, ?), updated_at = ?,
       stop_errcode = CASE WHEN blocked_at IS NULL THEN ? ELSE stop_errcode END
     WHERE app_id = ? AND open_id = ? AND (opted_out_at IS NULL OR opted_out_at < ?)`,
    [person.at, person.userId, now, person.errcode, person.appId, person.openId, person.at],
  )
}

/** Works for a person of no user as well: the block is there when a user is bound. */
export async function recordBlock(
  trx: Knex,
  { appId, openId, errcode, at }: Person & { errcode: number; at: number },
  now: number,
): Promise<void> {
  const set = (column: string) =>
    isSqlite(trx) ? `${column} = excluded.${column}` : `${column} = VALUES(${column})`
  const columns = ['blocked_at', 'stop_errcode', 'updated_at'].map(set).join(', ')
  const onDuplicate = isSqlite(trx)
    ? `ON CONFLICT (app_id, open_id) DO UPDATE SET ${columns}`
    : `ON DUPLICATE KEY UPDATE ${columns}`
  await execute(
    trx,
    `INSERT INTO wx_user (app_id, open_id, blocked_at, stop_errcode, created_at, updated_at)
     VALUES ${rowPlaceholders(1, 6)} ${onDuplicate}`,
    [appId, openId, at, errcode, now, now],
  )
}

/** Ends an opt-out. The code stays for a block beside it. */
export async function liftRefusal(trx: Knex, { appId, openId }: Person, now: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_user SET opted_out_at = NULL, updated_at = ?,
       stop_errcode = CASE WHEN blocked_at IS NULL THEN NULL ELSE stop_errcode END
     WHERE app_id = ? AND open_id = ?`,
    [now, appId, openId],
  )
}

/** Ends a block of this code. An opt-out beside it stays. false if there was none. */
export async function liftBlock(
  trx: Knex,
  { appId, openId, errcode }: Person & { errcode: number },
  now: number,
): Promise<boolean> {
  const { affectedRows } = await execute(
    trx,
    `UPDATE wx_user SET blocked_at = NULL, stop_errcode = NULL, updated_at = ?
     WHERE app_id = ? AND open_id = ? AND blocked_at IS NOT NULL AND stop_errcode = ?`,
    [now, appId, openId, errcode],
  )
  return affectedRows > 0
}
