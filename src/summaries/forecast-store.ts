import type { Knex } from 'knex'
import { execute, rowPlaceholders, selectRows } from '../db/sql.js'
import type { BusinessDate } from '../lib/business-date.js'
import type { ReachDay } from './compute.js'

/** The kept forecasts: wx_forecast_day. Every statement finds its rows by the primary key. */

/** Writes the forecast made on a day, in place of an earlier one of that day. */
export async function replaceForecast(
  trx: Knex.Transaction,
  { appId, madeOn, asOf }: { appId: string; madeOn: BusinessDate; asOf: number },
  days: ReachDay[],
): Promise<void> {
  await execute(trx, 'DELETE FROM wx_forecast_day WHERE app_id = ? AND made_on = ?', [appId, madeOn])
  if (days.length === 0) return
  await execute(
    trx,
    `INSERT INTO wx_forecast_day (app_id, made_on, day, position, reachable, permits_left, going_dark, as_of)
     VALUES ${rowPlaceholders(days.length, 8)}`,
    days.flatMap((day) => [
      appId,
      madeOn,
      day.date,
      day.position,
      day.reachable,
      day.permitsLeft,
      day.goingDark,
      asOf,
    ]),
  )
}

export interface KeptDay {
  made_on: BusinessDate
  day: BusinessDate
  position: number | null
  reachable: number
  permits_left: number
  going_dark: number
  as_of: number
}

/** The newest forecast, in the order of days; empty if none was made yet. */
export async function findNewest(db: Knex, appId: string): Promise<KeptDay[]> {
  const [newest] = await selectRows<{ made_on: number }>(
    db,
    'SELECT made_on FROM wx_forecast_day WHERE app_id = ? ORDER BY made_on DESC LIMIT 1',
    [appId],
  )
  if (!newest) return []
  return selectRows<KeptDay>(
    db,
    `SELECT made_on, day, position, reachable, permits_left, going_dark, as_of FROM wx_forecast_day
     WHERE app_id = ? AND made_on = ? ORDER BY day`,
    [appId, newest.made_on],
  )
}

/** A forecast that was made on an earlier day, and how many users were then reminded. */
export interface Outcome {
  made_on: BusinessDate
  day: BusinessDate
  position: number
  reachable: number
  reminded: number
}

/**
 * What was forecast for the days from `first` to `last` that a run has since finished, and what came of it: at most as
 * many rows as there are days, times the days of a forecast. Days on which the run halted, or was limited, do not say
 * whether the forecast was good.
 */
export function findOutcomes(
  db: Knex,
  appId: string,
  { madeFrom, first, last }: { madeFrom: BusinessDate; first: BusinessDate; last: BusinessDate },
): Promise<Outcome[]> {
  return selectRows<Outcome>(
    db,
    `SELECT f.made_on, f.day, f.position, f.reachable, r.delivered + r.failed + r.unknown + r.retrying AS reminded
     FROM wx_forecast_day f JOIN wx_job_run r ON r.job = 'remind' AND r.app_id = f.app_id AND r.slot = f.day
     WHERE f.app_id = ? AND f.made_on >= ? AND f.made_on < f.day AND f.day BETWEEN ? AND ? AND f.position >= 1
       AND r.state = 'done'
     ORDER BY f.day, f.position`,
    [appId, madeFrom, first, last],
  )
}
