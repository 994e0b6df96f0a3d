import type { Knex } from 'knex'
import { execute, isSqlite, selectRows } from '../db/sql.js'
import { REASON_COLUMNS, type ReasonRow } from './reason.js'
import type { RunState } from './run.js'

/**
 * The limit of a run (`remind --limit`) binds every process that works on it. Claims count up from 0 in their own
 * transaction; what is given back counts down, below 0 too if it was claimed before the limit was set. Only a run
 * with a limit keeps this count: otherwise all claims of a large run would wait for one row. Lock order: the run
 * comes before its ranges.
 */
export interface ClaimableRun extends ReasonRow {
  state: RunState
  claim_limit: number | null
  claimed: number
}

/** Locks the run for a claim: shared with other claims if it has no limit, exclusively if it has one. */
export async function lockForClaim(trx: Knex.Transaction, runId: number): Promise<ClaimableRun | undefined> {
  const read = async (lock: string): Promise<ClaimableRun | undefined> => {
    const [run] = await selectRows<ClaimableRun>(
      trx,
      `SELECT state, ${REASON_COLUMNS}, claim_limit, claimed FROM wx_job_run WHERE id = ?${lock}`,
      [runId],
    )
    return run
  }
  if (isSqlite(trx)) return read('')
  // Never the shared lock first: two claims that both want the exclusive lock after it would wait for each other.
  const limited = (await read(''))?.claim_limit != null
  return read(limited ? ' FOR UPDATE' : ' LOCK IN SHARE MODE')
}

/** How many more users the run may claim. */
export function roomOf({ claim_limit, claimed }: ClaimableRun): number {
  return claim_limit === null ? Number.POSITIVE_INFINITY : Math.max(0, claim_limit - claimed)
}

export async function hasRoom(db: Knex, runId: number): Promise<boolean> {
  const rows = await selectRows(
    db,
    'SELECT 1 FROM wx_job_run WHERE id = ? AND (claim_limit IS NULL OR claimed < claim_limit)',
    [runId],
  )
  return rows.length > 0
}

/** Lets a locked run claim `limit` more users. A smaller limit that is already set stays. */
export async function limitRun(trx: Knex.Transaction, runId: number, limit: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_job_run
     SET claim_limit = CASE WHEN claim_limit < claimed + ? THEN claim_limit ELSE claimed + ? END WHERE id = ?`,
    [limit, limit, runId],
  )
}

export async function liftLimit(trx: Knex.Transaction, runId: number): Promise<void> {
  await execute(trx, 'UPDATE wx_job_run SET claim_limit = NULL, claimed = 0 WHERE id = ?', [runId])
}

/** Counts claims of a run that has a limit. `by` is negative for what is given back. */
export async function countClaimed(trx: Knex.Transaction, runId: number, by: number): Promise<void> {
  await execute(trx, 'UPDATE wx_job_run SET claimed = claimed + ? WHERE id = ? AND claim_limit IS NOT NULL', [
    by,
    runId,
  ])
}
