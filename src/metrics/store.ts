import type { Knex } from 'knex'
import { databaseNow, selectRows } from '../db/sql.js'
import type { RunState } from '../runs/run.js'

/** What the metrics read. Each statement reads a bounded number of rows of an index. */

export interface RunRow {
  id: number
  slot: number
  state: RunState
  started_at: number
  finished_at: number | null
}

/** The newest occurrences of a job, the newest first. Uses wx_job_run_slot_uq. */
export function findNewestRuns(db: Knex, job: string, appId: string, limit: number): Promise<RunRow[]> {
  return selectRows<RunRow>(
    db,
    `SELECT id, slot, state, started_at, finished_at FROM wx_job_run
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
    `SELECT lease_until <= ${databaseNow(db)} AS lapsed FROM wx_claim WHERE app_id = ?
     ORDER BY kind, lease_until LIMIT ?`,
    [appId, limit],
  )
  const lapsed = rows.filter((row) => Number(row.lapsed) === 1).length
  return { held: rows.length - lapsed, lapsed }
}

/** Unspent permits by source and whole days left, as `summarize` last counted them. Uses the primary key. */
export async function findStock(
  db: Knex,
  appId: string,
): Promise<{ source: string; days_left: number; permits: number }[]> {
  const rows = await selectRows<{ source: string; days_left: number; permits: number | string }>(
    db,
    `SELECT source, days_left, SUM(permits) AS permits FROM wx_permit_stock WHERE app_id = ?
     GROUP BY source, days_left`,
    [appId],
  )
  return rows.map((row) => ({ ...row, permits: Number(row.permits) }))
}

export interface FlowRow {
  granted_form: number
  granted_pay: number
  granted_subscribe: number
  spent: number
  expired: number
}

/** The newest day that `summarize` has counted. Uses the primary key. */
export async function findNewestFlow(db: Knex, appId: string): Promise<FlowRow | undefined> {
  const [row] = await selectRows<FlowRow>(
    db,
    `SELECT granted_form, granted_pay, granted_subscribe, spent, expired FROM wx_day_summary
     WHERE app_id = ? ORDER BY day DESC LIMIT 1`,
    [appId],
  )
  return row
}
