import type { Knex } from 'knex'
import type { MigrationParams } from '../../src/db/migrate.js'
import { isSqlite } from '../../src/db/sql.js'
import { businessDate } from '../../src/lib/business-date.js'
import { updateInChunks } from '../lib/chunks.js'
import { reportRows } from '../lib/report.js'
import { counters } from './public-tables.js'

export const UNFIT = 'user_id IS NULL OR last_date IS NULL OR count IS NULL OR count < 0'

/** Dates written YYYYMMDD are smaller than this; times since 1973, in seconds or in ms, are larger. */
const AFTER_DATES = 100_000_000
const FIRST_MS = 100_000_000_000
/** The old programs ran on Chinese time, which has no daylight saving time. */
const CHINA_OFFSET_SECONDS = 8 * 3600
const CHINA = 'Asia/Shanghai'
export const IS_TIME = `last_date >= ${AFTER_DATES}`

/** Makes the values of an old table fit the types and CHECKs to come. The true counts are computed later. */
export async function cleanCounters(db: Knex, params: MigrationParams): Promise<void> {
  const rows = await updateInChunks(
    db,
    params,
    counters.name,
    `user_id = COALESCE(user_id, 0), last_date = COALESCE(last_date, 0),
     count = CASE WHEN count > 0 THEN count ELSE 0 END`,
    UNFIT,
  )
  reportRows(params, counters.name, rows, 'with a NULL or a negative count: set to 0')
}

/**
 * Gives rows without an account to the known one, and turns whatever is in last_date into a day that is not
 * in the future.
 */
export async function completeCounters(db: Knex, params: MigrationParams): Promise<void> {
  const { appId } = params
  if (appId !== '') {
    const assigned = await updateInChunks(db, params, counters.name, 'app_id = ?', "app_id = ''", [appId])
    reportRows(params, counters.name, assigned, `without an account: assigned to ${appId}`)
  }
  // Otherwise these users would be "reminded in the future" and never again.
  const times = await updateInChunks(db, params, counters.name, `last_date = ${dateOfTime(db)}`, IS_TIME)
  reportRows(params, counters.name, times, 'with a time in last_date: now YYYYMMDD')

  // Today, not 0: the old program may have reminded them today. They are reminded from tomorrow on.
  const today = todayInChina()
  const future = await updateInChunks(
    db,
    params,
    counters.name,
    `last_date = ${today}`,
    `last_date > ${today}`,
  )
  reportRows(params, counters.name, future, 'with a future day in last_date: set to today')
}

export function todayInChina(now = Date.now()): number {
  return businessDate(now, CHINA)
}

export function dateOfTime(db: Knex): string {
  const divided = isSqlite(db) ? 'last_date / 1000' : 'last_date DIV 1000'
  const seconds = `CASE WHEN last_date >= ${FIRST_MS} THEN ${divided} ELSE last_date END + ${CHINA_OFFSET_SECONDS}`
  return isSqlite(db)
    ? `CAST(strftime('%Y%m%d', ${seconds}, 'unixepoch') AS INTEGER)`
    : `CAST(DATE_FORMAT('1970-01-01' + INTERVAL (${seconds}) SECOND, '%Y%m%d') AS SIGNED)`
}
