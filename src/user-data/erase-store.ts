import type { Knex } from 'knex'
import {
  byPrimaryKey,
  execute,
  forUpdate,
  inThisOrder,
  isSqlite,
  mysqlHint,
  placeholders,
  selectRows,
} from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import { ERASED_ERRMSG } from '../messages/cause.js'
import type { Place } from '../permits/store.js'

/** The statements of an erasure. Each reads or writes a bounded number of rows, found by an index. */

export interface GivenPermit extends Place {
  open_id: string
}

/** The user's next permits after a place, erased or not. Plan: range on the key by user. */
export function findPermitsAfter(
  db: Knex,
  appId: string,
  userId: UserId,
  { expire, id }: Place,
  limit: number,
): Promise<GivenPermit[]> {
  // See isBetween: MySQL makes ranges of alternatives, SQLite of a comparison of pairs.
  const after = isSqlite(db)
    ? { sql: '(expire, id) > (?, ?)', bindings: [expire, id] }
    : { sql: '(expire = ? AND id > ? OR expire > ?)', bindings: [expire, id, expire] }
  return selectRows<GivenPermit>(
    db,
    `SELECT id, expire, open_id FROM wx_save_form_id WHERE app_id = ? AND user_id = ? AND ${after.sql}
     ORDER BY expire, id LIMIT ?`,
    [appId, userId, ...after.bindings, limit],
  )
}

/** Some of the permits that an open_id gave, for whichever user. Uses wx_save_form_id_tap_idx. */
export async function findPermitsOfGiver(
  db: Knex,
  appId: string,
  openId: string,
  limit: number,
): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    db,
    'SELECT id FROM wx_save_form_id WHERE app_id = ? AND open_id = ? LIMIT ?',
    [appId, openId, limit],
  )
  return rows.map(({ id }) => id)
}

/** Those of these messages that are not settled. */
export async function findOpen(db: Knex, ids: number[]): Promise<Set<number>> {
  if (ids.length === 0) return new Set()
  const rows = await selectRows<{ id: number }>(
    db,
    `SELECT id FROM wx_push_message WHERE id IN (${placeholders(ids.length)})
       AND state IN ('queued', 'sending', 'retry')`,
    ids,
  )
  return new Set(rows.map(({ id }) => id))
}

/**
 * Takes from settled messages what leads to a person: the open_id, the streak in the texts, and what WeChat said and
 * can look up. State, attempts, code, cause and delivery result stay, and with them every sum. Returns how many had
 * something of the kind.
 */
export async function eraseMessages(db: Knex, ids: number[]): Promise<number> {
  if (ids.length === 0) return 0
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_push_message SET open_id = NULL, streak = 0, errmsg = ${ERASED_ERRMSG}, rid = NULL, msgid = NULL
     WHERE id IN (${placeholders(ids.length)}) AND state NOT IN ('queued', 'sending', 'retry')
       AND (open_id IS NOT NULL OR streak <> 0 OR rid IS NOT NULL OR msgid IS NOT NULL
         OR COALESCE(errmsg, '') <> COALESCE(${ERASED_ERRMSG}, ''))`,
    ids,
  )
  return affectedRows
}

/**
 * Takes from settled submitted messages what they say, and from their attempts what WeChat said and can look up. How they
 * ended stays, with every code.
 */
export async function eraseSubmitted(db: Knex, ids: number[]): Promise<void> {
  if (ids.length === 0) return
  const list = placeholders(ids.length)
  await execute(
    db,
    `UPDATE wx_submitted_message${byPrimaryKey(db)} SET data = '{}', page = '' WHERE message_id IN (${list}) AND state <> 'open'`,
    ids,
  )
  await execute(
    db,
    `UPDATE wx_message_attempt${mysqlHint(db, 'FORCE INDEX (wx_message_attempt_message_idx)')} SET errmsg = ${ERASED_ERRMSG}, rid = NULL, msgid = NULL
     WHERE message_id IN (${list})`,
    ids,
  )
}

/**
 * Those of these messages that are dead letters. Locks their rows, which queueing one again locks first as well. `ids`
 * must be sorted.
 */
export async function lockDead(trx: Knex.Transaction, ids: number[]): Promise<number[]> {
  if (ids.length === 0) return []
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT m.id FROM wx_push_message m${byPrimaryKey(trx)} ${inThisOrder(trx)} wx_submitted_message s
       ON s.message_id = m.id
     WHERE m.id IN (${placeholders(ids.length)}) AND m.state = 'cancelled' AND s.state = 'dead'
     ORDER BY m.id${forUpdate(trx)}`,
    ids,
  )
  return rows.map(({ id }) => id)
}

/** The runs of messages. */
export async function findRunsOf(db: Knex, ids: number[]): Promise<number[]> {
  if (ids.length === 0) return []
  const rows = await selectRows<{ run_id: number }>(
    db,
    `SELECT DISTINCT run_id FROM wx_push_message WHERE id IN (${placeholders(ids.length)}) AND run_id IS NOT NULL`,
    ids,
  )
  return rows.map(({ run_id }) => run_id)
}

/** Some of the events that WeChat pushed about a person. Uses wx_callback_event_person_idx. */
export async function findEventsOf(
  db: Knex,
  appId: string,
  openId: string,
  limit: number,
): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    db,
    'SELECT id FROM wx_callback_event WHERE app_id = ? AND open_id = ? LIMIT ?',
    [appId, openId, limit],
  )
  return rows.map(({ id }) => id)
}

/** Deletes persons who belong to no user. */
export async function deleteUnbound(
  trx: Knex.Transaction,
  appId: string,
  openIds: string[],
): Promise<number> {
  const { affectedRows } = await execute(
    trx,
    `DELETE FROM wx_user WHERE app_id = ? AND open_id IN (${placeholders(openIds.length)}) AND user_id IS NULL`,
    [appId, ...openIds],
  )
  return affectedRows
}

/** Deletes persons who still belong to the user. */
export async function deletePersons(
  trx: Knex.Transaction,
  appId: string,
  userId: UserId,
  openIds: string[],
): Promise<number> {
  const { affectedRows } = await execute(
    trx,
    `DELETE FROM wx_user WHERE app_id = ? AND open_id IN (${placeholders(openIds.length)}) AND user_id = ?`,
    [appId, ...openIds, userId],
  )
  return affectedRows
}
