import type { Knex } from 'knex'
import { execute, forUpdate, isSqlite, placeholders, rowPlaceholders, selectRows } from '../db/sql.js'
import { isNamed, type Named } from './named.js'
import { type BoundPerson, keyOf, type PersonKey } from './person.js'
import { keepEnded, keepEndedOf } from './stop-history-store.js'

export type { Named } from './named.js'

/**
 * The statements on people whom nothing is sent to: opted_out_at, blocked_at, stop_errcode, stop_message_id and
 * stop_template_id of wx_user. With a template, an opt-out stops messages of that template alone; of several refused
 * ones the last is on record, which is enough: a refusal also voids the permits of its template (books/void.ts). An
 * opt-out without a code is the person's own wish, or was written by hand: nothing that WeChat says replaces it.
 */
const IS_NO_WISH = '(opted_out_at IS NULL OR stop_errcode IS NOT NULL)'
const NO_WISH = { sql: IS_NO_WISH, bindings: [] }

/**
 * Records that nothing is to be sent to a person, who asked for that or cannot be reached at all. A login may
 * have left a row without a user; claims look for stops by user, so the row gets one. `messageId`: the
 * refused message; null for an act of the person's that a bulk bring-back must not undo.
 */
export async function recordStop(
  trx: Knex.Transaction,
  person: BoundPerson,
  stop: { kind: 'opt_out' | 'block'; errcode: number; messageId: number | null; templateId?: string },
  now: number,
): Promise<void> {
  const column = stop.kind === 'opt_out' ? 'opted_out_at' : 'blocked_at'
  const templateId = stop.templateId ?? null
  await keepEnded(trx, keyOf(person), { kinds: [stop.kind], at: now, only: NO_WISH })
  const { affectedRows } = await execute(
    trx,
    `UPDATE wx_user SET ${column} = ?, stop_errcode = ?, stop_message_id = ?, updated_at = ?,
       stop_template_id = ${stop.kind === 'opt_out' ? '?' : 'COALESCE(stop_template_id, ?)'},
       user_id = COALESCE(user_id, ?) WHERE app_id = ? AND open_id = ? AND ${IS_NO_WISH}`,
    [now, stop.errcode, stop.messageId, now, templateId, person.userId, person.appId, person.openId],
  )
  if (affectedRows > 0) return
  // The open_id has no row yet, or a row with a wish, which stays.
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id, open_id) DO UPDATE SET user_id = COALESCE(user_id, excluded.user_id)'
    : 'ON DUPLICATE KEY UPDATE user_id = COALESCE(user_id, VALUES(user_id))'
  await execute(
    trx,
    `INSERT INTO wx_user (app_id, open_id, user_id, ${column}, stop_errcode, stop_message_id, stop_template_id,
       created_at, updated_at) VALUES ${rowPlaceholders(1, 9)} ${onDuplicate}`,
    [person.appId, person.openId, person.userId, now, stop.errcode, stop.messageId, templateId, now, now],
  )
}

/** If there is a block too, the code stands for the block, because a follow looks at it. */
export async function recordOptOut(
  trx: Knex.Transaction,
  person: BoundPerson & { errcode: number; at: number; templateId?: string },
  now: number,
): Promise<void> {
  await keepEnded(trx, keyOf(person), { kinds: ['opt_out'], at: person.at, only: NO_WISH })
  await execute(
    trx,
    `UPDATE wx_user SET opted_out_at = ?, user_id = COALESCE(user_id, ?), updated_at = ?,
       stop_errcode = CASE WHEN blocked_at IS NULL THEN ? ELSE stop_errcode END, stop_message_id = NULL,
       stop_template_id = ?
     WHERE app_id = ? AND open_id = ? AND (opted_out_at IS NULL OR opted_out_at < ?) AND ${IS_NO_WISH}`,
    [
      person.at,
      person.userId,
      now,
      person.errcode,
      person.templateId ?? null,
      person.appId,
      person.openId,
      person.at,
    ],
  )
}

/** Works for a person without a user too: the block is already there when a user is bound. */
export async function recordBlock(
  trx: Knex.Transaction,
  { appId, openId, errcode, at }: PersonKey & { errcode: number; at: number },
  now: number,
): Promise<void> {
  await keepEnded(trx, { appId, openId }, { kinds: ['block'], at })
  const set = (column: string) =>
    isSqlite(trx) ? `${column} = excluded.${column}` : `${column} = VALUES(${column})`
  const columns = [...['blocked_at', 'stop_errcode', 'updated_at'].map(set), 'stop_message_id = NULL'].join(
    ', ',
  )
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

/** Ends an opt-out. The code stays if there is also a block. */
export async function liftRefusal(
  trx: Knex.Transaction,
  { appId, openId }: PersonKey,
  now: number,
): Promise<void> {
  await keepEnded(trx, { appId, openId }, { kinds: ['opt_out'], at: now })
  await execute(
    trx,
    `UPDATE wx_user SET opted_out_at = NULL, stop_template_id = NULL, updated_at = ?,
       stop_errcode = CASE WHEN blocked_at IS NULL THEN NULL ELSE stop_errcode END,
       stop_message_id = CASE WHEN blocked_at IS NULL THEN NULL ELSE stop_message_id END
     WHERE app_id = ? AND open_id = ?`,
    [now, appId, openId],
  )
}

/** Ends a block with this code. An opt-out stays. False if there was no such block. */
export async function liftBlock(
  trx: Knex.Transaction,
  { appId, openId, errcode }: PersonKey & { errcode: number },
  now: number,
): Promise<boolean> {
  const only = { sql: 'stop_errcode = ?', bindings: [errcode] }
  await keepEnded(trx, { appId, openId }, { kinds: ['block'], at: now, only })
  const { affectedRows } = await execute(
    trx,
    `UPDATE wx_user SET blocked_at = NULL, stop_errcode = NULL, stop_message_id = NULL, updated_at = ?
     WHERE app_id = ? AND open_id = ? AND blocked_at IS NOT NULL AND stop_errcode = ?`,
    [now, appId, openId, errcode],
  )
  return affectedRows > 0
}

/**
 * How many such persons there are, and how many of the open_ids are stopped for whatever reason. Uses
 * wx_user_user_idx.
 */
export async function countStopped(db: Knex, named: Named): Promise<{ persons: number; stopped: number }> {
  const { sql, bindings } = isNamed(named)
  const [row] = await selectRows<{ persons: number; stopped: number }>(
    db,
    `SELECT COUNT(*) AS persons, COUNT(COALESCE(opted_out_at, blocked_at)) AS stopped FROM wx_user WHERE ${sql}`,
    bindings,
  )
  return row ?? { persons: 0, stopped: 0 }
}

/** How many persons of the account were stopped by messages. */
export async function countStoppedByMessages(db: Knex, appId: string): Promise<number> {
  const [row] = await selectRows<{ persons: number }>(
    db,
    'SELECT COUNT(*) AS persons FROM wx_user WHERE app_id = ? AND stop_message_id IS NOT NULL',
    [appId],
  )
  return row?.persons ?? 0
}

/**
 * Records a wish. The time of an earlier one stays; stops recorded from WeChat's answers become the person's
 * own wish.
 */
export async function recordWish(trx: Knex.Transaction, named: Named, now: number): Promise<void> {
  const { sql, bindings } = isNamed(named)
  await keepEnded(trx, named, { kinds: ['opt_out'], at: now, only: NO_WISH })
  // MySQL assigns from left to right: the time must be computed from the code before the code is cleared.
  await execute(
    trx,
    `UPDATE wx_user SET opted_out_at = CASE WHEN ${IS_NO_WISH} THEN ? ELSE opted_out_at END,
       stop_errcode = NULL, stop_message_id = NULL, stop_template_id = NULL, updated_at = ? WHERE ${sql}`,
    [now, now, ...bindings],
  )
}

/** Ends whatever keeps messages from somebody. If WeChat still refuses, the next message is refused again. */
export async function liftAll(trx: Knex.Transaction, named: Named, now: number): Promise<void> {
  const { sql, bindings } = isNamed(named)
  await keepEnded(trx, named, { kinds: ['opt_out', 'block'], at: now })
  await execute(
    trx,
    `UPDATE wx_user SET opted_out_at = NULL, blocked_at = NULL, stop_errcode = NULL, stop_message_id = NULL,
       stop_template_id = NULL, updated_at = ? WHERE ${sql} AND (opted_out_at IS NOT NULL OR blocked_at IS NOT NULL)`,
    [now, ...bindings],
  )
}

export interface RefusedPerson {
  openId: string
  messageId: number
}

/**
 * Locks, in order of open_id, the persons whose stop was recorded by exactly this message. `refused`: at most
 * 999.
 */
export async function lockStoppedBy(
  trx: Knex.Transaction,
  appId: string,
  refused: RefusedPerson[],
): Promise<{ open_id: string; stop_errcode: number }[]> {
  const rows = await selectRows<{ open_id: string; stop_errcode: number; stop_message_id: number }>(
    trx,
    `SELECT open_id, stop_errcode, stop_message_id FROM wx_user
     WHERE app_id = ? AND open_id IN (${placeholders(refused.length)}) AND stop_message_id IS NOT NULL
     ORDER BY open_id${forUpdate(trx)}`,
    [appId, ...refused.map(({ openId }) => openId).sort()],
  )
  const byOpenId = new Set(refused.map(({ openId, messageId }) => `${openId} ${messageId}`))
  return rows.filter((row) => byOpenId.has(`${row.open_id} ${row.stop_message_id}`))
}

/** Ends the stops of one kind for locked persons. A stop of the other kind stays. */
export async function liftStops(
  trx: Knex.Transaction,
  appId: string,
  openIds: string[],
  kind: 'opt_out' | 'block',
  now: number,
): Promise<void> {
  if (openIds.length === 0) return
  await keepEndedOf(trx, appId, openIds, { kinds: [kind], at: now })
  const columns = kind === 'opt_out' ? 'opted_out_at = NULL, stop_template_id = NULL' : 'blocked_at = NULL'
  await execute(
    trx,
    `UPDATE wx_user SET ${columns}, stop_errcode = NULL,
       stop_message_id = NULL, updated_at = ?
     WHERE app_id = ? AND open_id IN (${placeholders(openIds.length)})`,
    [now, appId, ...openIds],
  )
}
