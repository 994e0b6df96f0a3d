import type { Knex } from 'knex'
import { databaseNow, selectRows } from '../db/sql.js'
import type { RunState } from '../runs/run.js'

/** What the metrics read. Each statement reads a bounded number of rows of an index. */

export interface RunRow {
  slot: number
  state: RunState
  started_at: number
  finished_at: number | null
  updated_at: number
}

/** The newest occurrences of a job, the newest first. Uses wx_job_run_slot_uq. */
export function findNewestRuns(db: Knex, job: string, appId: string, limit: number): Promise<RunRow[]> {
  return selectRows<RunRow>(
    db,
    `SELECT slot, state, started_at, finished_at, updated_at FROM wx_job_run
     WHERE job = ? AND app_id = ? ORDER BY slot DESC LIMIT ?`,
    [job, appId, limit],
  )
}

/** How many claims processes hold, and how many have lapsed, at most `limit`. Uses wx_claim_lease_idx. */
export async function countClaims(
  db: Knex,
  appId: string,
  limit: number,
): Promise<{ held: number; lapsed: number }> {
  const rows = await selectRows<{ lapsed: number }>(
    db,
    `SELECT lease_until <= ${databaseNow(db)} AS lapsed FROM wx_claim WHERE app_id = ? ORDER BY lease_until LIMIT ?`,
    [appId, limit],
  )
  const lapsed = rows.filter((row) => Number(row.lapsed) === 1).length
  return { held: rows.length - lapsed, lapsed }
}
