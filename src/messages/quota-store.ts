import type { Knex } from 'knex'
import { execute, isSqlite, selectRows } from '../db/sql.js'
import { addDays } from '../lib/business-date.js'
import type { RunState } from '../runs/run.js'

/** How far the reminders of a day have come, and what submitted messages took of the quota: a few rows by their keys. */

export interface RunOfDay {
  state: RunState
  planned: number | null
  /** null while it is running. */
  finished_at: number | null
  /** Delivered, failed and unknown, at this moment. */
  ended: number
}

/** Uses wx_job_run_slot_uq and the primary key of wx_run_outcome. */
export async function findRunOfDay(db: Knex, appId: string, date: number): Promise<RunOfDay | undefined> {
  const [row] = await selectRows<RunOfDay>(
    db,
    `SELECT r.state, r.planned, r.finished_at, (SELECT COALESCE(SUM(o.messages), 0) FROM wx_run_outcome o
       WHERE o.run_id = r.id AND o.outcome IN ('delivered', 'failed', 'unknown')) AS ended
     FROM wx_job_run r WHERE r.job = 'remind' AND r.app_id = ? AND r.slot = ?`,
    [appId, date],
  )
  // MySQL's SUM() comes back as text.
  return row && { ...row, ended: Number(row.ended) }
}

/** Forecasts of a day are made on at most so many days before it. */
const FORECAST_DAYS = 31

/** How many users the newest forecast says can be reminded on a day. Reads the kept forecasts of a month at most. */
export async function findForecastOf(db: Knex, appId: string, date: number): Promise<number | undefined> {
  const [row] = await selectRows<{ reachable: number }>(
    db,
    'SELECT reachable FROM wx_forecast_day WHERE app_id = ? AND day = ? AND made_on BETWEEN ? AND ? ORDER BY made_on DESC LIMIT 1',
    [appId, date, addDays(date, -FORECAST_DAYS), date],
  )
  return row?.reachable
}

/** Of whose quota; `since` names the day and the reading that are counted from. */
export interface QuotaUse {
  appId: string
  path: string
  since: string
}

/** What submitted messages have taken; undefined where nothing was ever counted. */
export async function findTaken(db: Knex, { appId, path, since }: QuotaUse): Promise<number | undefined> {
  const [row] = await selectRows<{ since: string; submitted: number }>(
    db,
    'SELECT since, submitted FROM wx_quota_use WHERE app_id = ? AND path = ?',
    [appId, path],
  )
  if (!row) return undefined
  return row.since === since ? row.submitted : 0
}

/** Begins to count. In no transaction: whoever comes second would wait for it, and then for the other's lock. */
export async function beginCount(db: Knex, { appId, path, since }: QuotaUse): Promise<void> {
  await execute(
    db,
    `INSERT ${isSqlite(db) ? 'OR IGNORE' : 'IGNORE'} INTO wx_quota_use (app_id, path, since, submitted) VALUES (?, ?, ?, 0)`,
    [appId, path, since],
  )
}

/** Takes so many, if they fit into `allowed` with what was taken before. False if they do not. */
export async function takeOf(
  db: Knex,
  { appId, path, since }: QuotaUse,
  calls: number,
  allowed: number,
): Promise<boolean> {
  // MySQL sets columns from left to right, so `since` is still the old one where it is compared.
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_quota_use SET submitted = CASE WHEN since = ? THEN submitted ELSE 0 END + ?, since = ?
     WHERE app_id = ? AND path = ? AND CASE WHEN since = ? THEN submitted ELSE 0 END + ? <= ?`,
    [since, calls, since, appId, path, since, calls, allowed],
  )
  return affectedRows > 0
}

/** Takes so many without a limit. Another day's quota does not change. */
export async function addTo(db: Knex, { appId, path, since }: QuotaUse, calls: number): Promise<void> {
  await execute(
    db,
    'UPDATE wx_quota_use SET submitted = submitted + ? WHERE app_id = ? AND path = ? AND since = ?',
    [calls, appId, path, since],
  )
}

/** Nothing is given back to another day's quota. */
export async function giveBackTo(db: Knex, { appId, path, since }: QuotaUse, calls: number): Promise<void> {
  await execute(
    db,
    'UPDATE wx_quota_use SET submitted = CASE WHEN submitted > ? THEN submitted - ? ELSE 0 END WHERE app_id = ? AND path = ? AND since = ?',
    [calls, calls, appId, path, since],
  )
}
