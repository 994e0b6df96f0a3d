import type { Knex } from 'knex'
import { isDuplicate } from '../db/errors.js'
import { execute, forUpdate, placeholders, selectRows } from '../db/sql.js'
import { inTransaction } from '../db/transaction.js'
import { resetRanges } from './ranges.js'
import { REASON_COLUMNS, type Reason, type ReasonRow, reasonValues, SET_REASON, toReason } from './reason.js'
import type { Ending, JobRun, Occurrence, RunState, Trigger } from './run.js'
import { countTotals } from './totals.js'

/** Opens the occurrence, or finds the existing one. `opened` is true for exactly one caller. */
export async function openRun(
  db: Knex,
  { job, appId, slot }: Occurrence,
  opening: { triggeredBy: Trigger; state: RunState; reason?: Reason; claimLimit?: number | undefined },
  now: number,
): Promise<{ run: JobRun; opened: boolean }> {
  const { triggeredBy, state, reason = null, claimLimit = null } = opening
  try {
    const { insertId } = await execute(
      db,
      `INSERT INTO wx_job_run (job, app_id, slot, triggered_by, state, ${REASON_COLUMNS}, claim_limit, started_at,
         updated_at) VALUES (${placeholders(12)})`,
      [job, appId, slot, triggeredBy, state, ...reasonValues(reason), claimLimit, now, now],
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
  const [row] = await selectRows<RunRow>(
    db,
    `SELECT ${RUN_COLUMNS} FROM wx_job_run WHERE job = ? AND app_id = ? AND slot = ?`,
    [job, appId, slot],
  )
  return row && toRun(row)
}

const RUN_COLUMNS = `id, slot, state, ${REASON_COLUMNS}, started_at`

type RunRow = Omit<JobRun, 'reason'> & ReasonRow

function toRun(row: RunRow): JobRun {
  const { id, slot, state, started_at } = row
  return { id, slot, state, reason: toReason(row), started_at }
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
  const [row] = await selectRows<RunRow>(
    db,
    `SELECT ${RUN_COLUMNS} FROM wx_job_run WHERE job = ? AND app_id = ? ORDER BY slot DESC LIMIT 1`,
    [job, appId],
  )
  return row && toRun(row)
}

/**
 * Ends a run, and counts the totals of its messages. Only a run that is `running` is ended: a late process does not
 * overwrite what another one recorded. Returns whether it did.
 */
export async function closeRun(db: Knex, id: number, ending: Ending, now: number): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    const { affectedRows } = await execute(
      trx,
      `UPDATE wx_job_run SET state = ?, ${SET_REASON}, finished_at = ?, updated_at = ? WHERE id = ? AND state = 'running'`,
      [ending.state, ...reasonValues(ending.reason), now, now, id],
    )
    if (affectedRows > 0) await countTotals(trx, id)
    return affectedRows > 0
  })
}

/** Reopens an ended run, whose totals are true. A running one is left as it is. */
export async function reopenRun(db: Knex, id: number, triggeredBy: Trigger, now: number): Promise<void> {
  await execute(
    db,
    `UPDATE wx_job_run SET state = 'running', ${SET_REASON}, triggered_by = ?, started_at = ?, finished_at = NULL,
       updated_at = ?, settled_before = delivered + failed + unknown WHERE id = ? AND state <> 'running'`,
    [...reasonValues(null), triggeredBy, now, now, id],
  )
}

export async function lockRun(trx: Knex.Transaction, runId: number): Promise<JobRun | undefined> {
  const [row] = await selectRows<RunRow>(
    trx,
    `SELECT ${RUN_COLUMNS} FROM wx_job_run WHERE id = ?${forUpdate(trx)}`,
    [runId],
  )
  return row && toRun(row)
}

/** Makes a run that is still running read all its users again, and records what kept it from reminding them. */
export async function startOver(
  trx: Knex.Transaction,
  runId: number,
  appId: string,
  reason: Reason | null,
): Promise<void> {
  if ((await lockRun(trx, runId))?.state !== 'running') return
  await execute(trx, `UPDATE wx_job_run SET ${SET_REASON} WHERE id = ?`, [...reasonValues(reason), runId])
  await resetRanges(trx, runId, appId)
}

/** Records how many users a run is expected to reach. */
export async function recordPlanned(db: Knex, runId: number, planned: number): Promise<void> {
  await execute(db, 'UPDATE wx_job_run SET planned = ? WHERE id = ?', [planned, runId])
}

/**
 * Ends a run whatever its state. Its start is set to now: with an earlier start, the schedule takes a run as still
 * due.
 */
export async function endRun(db: Knex, runId: number, reason: Reason, now: number): Promise<void> {
  await execute(
    db,
    `UPDATE wx_job_run SET state = 'done', ${SET_REASON}, started_at = ?, finished_at = ?, updated_at = ? WHERE id = ?`,
    [...reasonValues(reason), now, now, now, runId],
  )
}
