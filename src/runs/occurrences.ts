import type { Knex } from 'knex'
import { isDuplicate } from '../db/errors.js'
import { execute, forUpdate, selectRows } from '../db/sql.js'
import { inTransaction } from '../db/transaction.js'
import { resetRanges } from './ranges.js'
import type { JobRun, Occurrence, RunState, Trigger } from './run.js'
import { countTotals } from './totals.js'

/** Opens the occurrence, or finds the existing one. `opened` is true for exactly one caller. */
export async function openRun(
  db: Knex,
  { job, appId, slot }: Occurrence,
  opening: { triggeredBy: Trigger; state: RunState; reason?: string; claimLimit?: number | undefined },
  now: number,
): Promise<{ run: JobRun; opened: boolean }> {
  const { triggeredBy, state, reason = null, claimLimit = null } = opening
  try {
    const { insertId } = await execute(
      db,
      `INSERT INTO wx_job_run (job, app_id, slot, triggered_by, state, reason, claim_limit, started_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [job, appId, slot, triggeredBy, state, reason, claimLimit, now, now],
    )
    return { run: { id: insertId, slot, state, reason, started_at: now }, opened: true }
  } catch (error) {
    if (!isDuplicate(error)) throw error
  }
  const run = await findRun(db, { job, appId, slot })
  if (!run) throw new Error(`Run ${job} ${slot} was there a moment ago and is gone: was it deleted by hand?`)
  return { run, opened: false }
}

export async function findRun(db: Knex, { job, appId, slot }: Occurrence): Promise<JobRun | undefined> {
  const [run] = await selectRows<JobRun>(
    db,
    'SELECT id, slot, state, reason, started_at FROM wx_job_run WHERE job = ? AND app_id = ? AND slot = ?',
    [job, appId, slot],
  )
  return run
}

/** Finds an account's daily runs from a day onwards, oldest first. Uses wx_job_run_slot_uq. */
export async function findRemindRuns(db: Knex, appId: string, fromDate: number): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    db,
    "SELECT id FROM wx_job_run WHERE job = 'remind' AND app_id = ? AND slot >= ? ORDER BY slot",
    [appId, fromDate],
  )
  return rows.map(({ id }) => id)
}

/** Finds running occurrences that nobody has touched since `before`. Uses wx_job_run_app_idx. */
export async function findRunningSince(db: Knex, appId: string, before: number): Promise<number[]> {
  const rows = await selectRows<{ id: number }>(
    db,
    "SELECT id FROM wx_job_run WHERE app_id = ? AND state = 'running' AND updated_at < ? ORDER BY id",
    [appId, before],
  )
  return rows.map(({ id }) => id)
}

/** Finds the newest occurrence of a job, whatever its state. */
export async function findLastRun(db: Knex, job: string, appId: string): Promise<JobRun | undefined> {
  const [run] = await selectRows<JobRun>(
    db,
    'SELECT id, slot, state, reason, started_at FROM wx_job_run WHERE job = ? AND app_id = ? ORDER BY slot DESC LIMIT 1',
    [job, appId],
  )
  return run
}

/**
 * Ends a run, and counts the totals of its messages. Only a run that is `running` is ended: a late process does not
 * overwrite what another one recorded.
 */
export async function closeRun(
  db: Knex,
  id: number,
  ending: { state: RunState; reason: string | null },
  now: number,
): Promise<void> {
  await inTransaction(db, async (trx) => {
    const { affectedRows } = await execute(
      trx,
      `UPDATE wx_job_run SET state = ?, reason = ?, finished_at = ?, updated_at = ? WHERE id = ? AND state = 'running'`,
      [ending.state, ending.reason, now, now, id],
    )
    if (affectedRows > 0) await countTotals(trx, id)
  })
}

/** Reopens an ended run. A running one is left as it is. */
export async function reopenRun(db: Knex, id: number, triggeredBy: Trigger, now: number): Promise<void> {
  await execute(
    db,
    `UPDATE wx_job_run SET state = 'running', reason = NULL, triggered_by = ?, started_at = ?, finished_at = NULL,
       updated_at = ? WHERE id = ? AND state <> 'running'`,
    [triggeredBy, now, now, id],
  )
}

export async function lockRun(trx: Knex.Transaction, runId: number): Promise<RunState | undefined> {
  const [row] = await selectRows<{ state: RunState }>(
    trx,
    `SELECT state FROM wx_job_run WHERE id = ?${forUpdate(trx)}`,
    [runId],
  )
  return row?.state
}

/** Makes a run that is still running read all its users again, and records what kept it from reminding them. */
export async function startOver(
  trx: Knex.Transaction,
  runId: number,
  appId: string,
  reason: string | null,
): Promise<void> {
  if ((await lockRun(trx, runId)) !== 'running') return
  await execute(trx, 'UPDATE wx_job_run SET reason = ? WHERE id = ?', [reason, runId])
  await resetRanges(trx, runId, appId)
}

/**
 * Ends a run whatever its state. Its start is set to now: with an earlier start, the schedule takes a run as still
 * due.
 */
export async function endRun(db: Knex, runId: number, reason: string, now: number): Promise<void> {
  await execute(
    db,
    `UPDATE wx_job_run SET state = 'done', reason = ?, started_at = ?, finished_at = ?, updated_at = ? WHERE id = ?`,
    [reason, now, now, now, runId],
  )
}
