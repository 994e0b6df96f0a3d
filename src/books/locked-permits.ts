import type { Knex } from 'knex'
import { forUpdate, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { PermitSource } from './permit.js'

/**
 * How every statement on permits by their ids finds them on MySQL, where the rows lie by user: it locks the entry of
 * the id first and then the row. A transaction that locks the row by another key and then names its id deadlocks with
 * one that names the id and waits for the row, so permits are locked by their ids alone. A plan that reads a small
 * table in full would lock in the order of users. No DBA can drop this key: the AUTO_INCREMENT needs it.
 */
export function byId(db: Knex): string {
  return mysqlHint(db, 'FORCE INDEX (wx_save_form_id_id_uq)')
}

export interface LockedPermit {
  id: number
  user_id: UserId
  open_id: string
  status: number
  expire: number
  form_id: string
  source: PermitSource
}

/** The open_id of a permit whose giver was erased. No caller can name it. */
export const NOBODY = ''

/** Locks permits by ascending id, whatever their status. `lock`: forUpdate, or forUpdateNowait. */
export async function lockPermits(
  trx: Knex.Transaction,
  ids: number[],
  lock = forUpdate,
): Promise<Map<number, LockedPermit>> {
  if (ids.length === 0) return new Map()
  const locked = await lockFound(trx, ids, lock)
  // A permit that is handed over to a smaller user while we wait for it moves to before the place where we wait, so
  // that MySQL does not find it.
  const missed = ids.filter((id) => !locked.has(id))
  if (missed.length > 0) for (const [id, permit] of await lockFound(trx, missed, lock)) locked.set(id, permit)
  return locked
}

async function lockFound(
  trx: Knex.Transaction,
  ids: number[],
  lock: typeof forUpdate,
): Promise<Map<number, LockedPermit>> {
  const rows = await selectRows<LockedPermit>(
    trx,
    `SELECT id, user_id, open_id, status, expire, form_id, source FROM wx_save_form_id${byId(trx)}
     WHERE id IN (${placeholders(ids.length)}) ORDER BY id${lock(trx)}`,
    ids,
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/**
 * Locks those of these permits that have this status, by ascending id. One whose giver was erased is of no use to
 * anybody: no verb brings it back.
 */
export async function lockWithStatus(
  trx: Knex.Transaction,
  ids: number[],
  status: 0 | 2,
): Promise<{ id: number; user_id: UserId }[]> {
  return selectRows(
    trx,
    `SELECT id, user_id FROM wx_save_form_id${byId(trx)}
     WHERE id IN (${placeholders(ids.length)}) AND open_id <> ? AND status = ${status} ORDER BY id${forUpdate(trx)}`,
    [...ids, NOBODY],
  )
}
