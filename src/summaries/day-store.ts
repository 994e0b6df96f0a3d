import type { Knex } from 'knex'
import { execute, isSqlite, mysqlHint, selectRows } from '../db/sql.js'
import type { BusinessDate } from '../lib/business-date.js'
import type { Range } from '../runs/ranges.js'
import type { RunState } from '../runs/run.js'

/** What is kept of days: wx_day_summary, and the statements that it is counted with. */

/** Everything but the new permits, which are added as they come. */
export interface DayCounts {
  spent: number
  failed: number
  expired: number
  sign_ins: number
  reminded: number
  reminded_signed_in: number
  others: number
  others_signed_in: number
}

export interface DayRow extends DayCounts {
  day: BusinessDate
  granted_form: number
  granted_pay: number
  granted_subscribe: number
  as_of: number
}

const COLUMNS = [
  'spent',
  'failed',
  'expired',
  'sign_ins',
  'reminded',
  'reminded_signed_in',
  'others',
  'others_signed_in',
] as const

/** Sets what was counted of a day; its new permits stay as they are. */
export async function setDay(
  trx: Knex.Transaction,
  { appId, day, asOf }: { appId: string; day: BusinessDate; asOf: number },
  counts: DayCounts,
): Promise<void> {
  const columns = [...COLUMNS, 'as_of']
  const added = (column: string): string => (isSqlite(trx) ? `excluded.${column}` : `VALUES(${column})`)
  const set = columns.map((column) => `${column} = ${added(column)}`).join(', ')
  await execute(
    trx,
    `INSERT INTO wx_day_summary (app_id, day, ${columns.join(', ')}) VALUES (?, ?, ${columns.map(() => '?').join(', ')})
     ${isSqlite(trx) ? `ON CONFLICT (app_id, day) DO UPDATE SET ${set}` : `ON DUPLICATE KEY UPDATE ${set}`}`,
    [appId, day, ...COLUMNS.map((column) => counts[column]), asOf],
  )
}

/** Adds new permits to a day. */
export async function addGranted(
  trx: Knex.Transaction,
  { appId, day }: { appId: string; day: BusinessDate },
  granted: { form: number; pay: number; subscribe: number },
): Promise<void> {
  const columns = ['granted_form', 'granted_pay', 'granted_subscribe']
  const added = (column: string): string => (isSqlite(trx) ? `excluded.${column}` : `VALUES(${column})`)
  const set = columns.map((column) => `${column} = ${column} + ${added(column)}`).join(', ')
  await execute(
    trx,
    `INSERT INTO wx_day_summary (app_id, day, ${columns.join(', ')}) VALUES (?, ?, ?, ?, ?)
     ${isSqlite(trx) ? `ON CONFLICT (app_id, day) DO UPDATE SET ${set}` : `ON DUPLICATE KEY UPDATE ${set}`}`,
    [appId, day, granted.form, granted.pay, granted.subscribe],
  )
}

/** The summaries of days, oldest first, by the primary key. Days on which nothing was counted have none. */
export function findDays(
  db: Knex,
  appId: string,
  { first, last }: { first: BusinessDate; last: BusinessDate },
): Promise<DayRow[]> {
  return selectRows<DayRow>(
    db,
    `SELECT day, granted_form, granted_pay, granted_subscribe, ${COLUMNS.join(', ')}, as_of FROM wx_day_summary
     WHERE app_id = ? AND day BETWEEN ? AND ? ORDER BY day`,
    [appId, first, last],
  )
}

export interface DayRun {
  id: number
  slot: BusinessDate
  state: RunState
  delivered: number
  failed: number
  unknown: number
  cancelled: number
  retrying: number
}

/** The daily runs of some days, oldest first. Uses wx_job_run_slot_uq. */
export function findRuns(
  db: Knex,
  appId: string,
  { first, last }: { first: BusinessDate; last: BusinessDate },
): Promise<DayRun[]> {
  return selectRows<DayRun>(
    db,
    `SELECT id, slot, state, delivered, failed, unknown, cancelled, retrying FROM wx_job_run
     WHERE job = 'remind' AND app_id = ? AND slot BETWEEN ? AND ? ORDER BY slot`,
    [appId, first, last],
  )
}

/** When the first message of a run was written, in ms. Reads one row of wx_push_message_run_idx. */
export async function findFirstSent(db: Knex, runId: number): Promise<number | undefined> {
  const [row] = await selectRows<{ created_at: number }>(
    db,
    'SELECT created_at FROM wx_push_message WHERE run_id = ? ORDER BY id LIMIT 1',
    [runId],
  )
  return row?.created_at
}

/** How many permits the sweeps of a span of time (ms) found to have run out. Uses wx_job_run_slot_uq. */
export async function countExpired(
  db: Knex,
  appId: string,
  { startsAt, endsAt }: { startsAt: number; endsAt: number },
): Promise<number> {
  const [row] = await selectRows<{ expired: number | null }>(
    db,
    `SELECT SUM(expired) AS expired FROM wx_job_run
     WHERE job = 'expire' AND app_id = ? AND slot >= ? AND slot < ?`,
    [appId, startsAt, endsAt],
  )
  return Number(row?.expired ?? 0)
}

/** When the last run of reminders ended, in ms. */
export async function findLastEnd(db: Knex, appId: string): Promise<number> {
  const [row] = await selectRows<{ finished_at: number | null }>(
    db,
    `SELECT finished_at FROM wx_job_run WHERE job = 'remind' AND app_id = ? ORDER BY slot DESC LIMIT 1`,
    [appId],
  )
  return row?.finished_at ?? 0
}

export interface Standings {
  reminded: number
  signed_in: 'no' | 'before' | 'after'
  users: number
}

/**
 * The users of a page by whether a reminder of the day was delivered to them, and whether they signed in on that day
 * before the run began or after. Leaves out users who came later, and those whose reminder of the day failed, is in hand
 * or unknown. Plan on MySQL: p range PRIMARY, m eq_ref wx_push_message_reminder_uq, s eq_ref PRIMARY.
 */
export function countStandings(
  db: Knex,
  appId: string,
  { cur, hi }: Range,
  { day, endsAt, beganAt }: { day: BusinessDate; endsAt: number; beganAt: number },
): Promise<Standings[]> {
  return selectRows<Standings>(
    db,
    `SELECT reminded, signed_in, COUNT(*) AS users FROM (
       SELECT CASE WHEN m.id IS NULL THEN 0 ELSE 1 END AS reminded,
         CASE WHEN s.user_id IS NULL THEN 'no' WHEN s.created_at < ? THEN 'before' ELSE 'after' END AS signed_in
       FROM wx_message_push_status p
       LEFT JOIN wx_push_message m ON m.app_id = p.app_id AND m.business_date = ? AND m.user_id = p.user_id
       LEFT JOIN wx_sign_in s${mysqlHint(db, 'FORCE INDEX (PRIMARY)')}
         ON s.app_id = p.app_id AND s.user_id = p.user_id AND s.day = ?
       WHERE p.app_id = ? AND p.user_id > ? AND p.user_id <= ? AND p.created_at < ?
         AND (m.id IS NULL OR m.state = 'delivered')) AS standings
     GROUP BY reminded, signed_in`,
    [beganAt, day, day, appId, cur, hi, endsAt],
  )
}

/** How many users of a page signed in on a day. Reads their entries of wx_sign_in_day_idx, which ends with the user. */
export async function countSignIns(
  db: Knex,
  appId: string,
  { cur, hi }: Range,
  day: BusinessDate,
): Promise<number> {
  const [row] = await selectRows<{ users: number }>(
    db,
    `SELECT COUNT(*) AS users FROM wx_sign_in${mysqlHint(db, 'FORCE INDEX (wx_sign_in_day_idx)')}
     WHERE app_id = ? AND day = ? AND user_id > ? AND user_id <= ?`,
    [appId, day, cur, hi],
  )
  return row?.users ?? 0
}
