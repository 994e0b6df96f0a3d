import type { Knex } from 'knex'
import { databaseNow, execute, isSqlite, selectRows } from '../db/sql.js'

/** How far the summaries of an account have come. */
export interface SummaryProgress {
  permit_id: number
  first_id: number
  next_id: number
  next_seen_at: number
  began_at: number
  ended_at: number
}

/** After a process died, another one goes on within a minute. */
const LEASE_MS = 60_000

export async function findProgress(db: Knex, appId: string): Promise<SummaryProgress | undefined> {
  const [row] = await selectRows<SummaryProgress>(
    db,
    'SELECT permit_id, first_id, next_id, next_seen_at, began_at, ended_at FROM wx_summary_progress WHERE app_id = ?',
    [appId],
  )
  return row
}

/** Makes this process the one that keeps the account's summaries. False if another one is at it. */
export async function takeLease(db: Knex, appId: string, owner: string): Promise<boolean> {
  await execute(
    db,
    `INSERT ${isSqlite(db) ? 'OR IGNORE' : 'IGNORE'} INTO wx_summary_progress (app_id) VALUES (?)`,
    [appId],
  )
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_summary_progress SET owner = ?, lease_until = ${databaseNow(db)} + ?
     WHERE app_id = ? AND (owner = '' OR lease_until < ${databaseNow(db)})`,
    [owner, LEASE_MS, appId],
  )
  return affectedRows > 0
}

/**
 * Prolongs the lease. Each write of a summary does it first in its transaction: that locks the account's row, so that a
 * process that was frozen past its lease writes nothing. False if another process has taken over.
 */
export async function renewLease(db: Knex, appId: string, owner: string): Promise<boolean> {
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_summary_progress SET lease_until = ${databaseNow(db)} + ? WHERE app_id = ? AND owner = ?`,
    [LEASE_MS, appId, owner],
  )
  return affectedRows > 0
}

export async function releaseLease(db: Knex, appId: string, owner: string): Promise<void> {
  await execute(
    db,
    "UPDATE wx_summary_progress SET owner = '', lease_until = 0 WHERE app_id = ? AND owner = ?",
    [appId, owner],
  )
}

/** Records a whole summary, from when to when it took. */
export async function recordWhole(
  trx: Knex.Transaction,
  appId: string,
  { beganAt, endedAt }: { beganAt: number; endedAt: number },
): Promise<void> {
  await execute(trx, 'UPDATE wx_summary_progress SET began_at = ?, ended_at = ? WHERE app_id = ?', [
    beganAt,
    endedAt,
    appId,
  ])
}
