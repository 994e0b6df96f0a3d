import type { Knex } from 'knex'
import { execute, placeholders } from '../db/sql.js'
import { reasonValues, SET_REASON } from './reason.js'

export async function recordPurged(db: Knex, runId: number, rows: number): Promise<void> {
  await execute(db, 'UPDATE wx_job_run SET purged = purged + ? WHERE id = ?', [rows, runId])
}

/** Reopens an occurrence that failed or was stopped some time ago. Returns true for exactly one caller. */
export async function reopenFailed(
  db: Knex,
  runId: number,
  endedBefore: number,
  now: number,
): Promise<boolean> {
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_job_run SET state = 'running', ${SET_REASON}, finished_at = NULL, updated_at = ?
     WHERE id = ? AND state IN ('halted', 'paused') AND updated_at <= ?`,
    [...reasonValues(null), now, runId, endedBefore],
  )
  return affectedRows > 0
}

/** Deletes occurrences that have ended, with their ranges and outcomes. Returns how many were deleted. */
export async function deleteRuns(trx: Knex.Transaction, ids: number[]): Promise<number> {
  await execute(trx, `DELETE FROM wx_job_cursor WHERE run_id IN (${placeholders(ids.length)})`, ids)
  const { affectedRows } = await execute(
    trx,
    `DELETE FROM wx_job_run WHERE id IN (${placeholders(ids.length)}) AND state <> 'running'`,
    ids,
  )
  // Those of a run that somebody has just started again stay with it.
  await execute(
    trx,
    `DELETE FROM wx_run_outcome WHERE run_id IN (${placeholders(ids.length)})
       AND NOT EXISTS (SELECT 1 FROM wx_job_run r WHERE r.id = wx_run_outcome.run_id)`,
    ids,
  )
  return affectedRows
}
