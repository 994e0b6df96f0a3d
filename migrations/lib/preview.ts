import type { Knex } from 'knex'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { NO_PERMIT, STRANGE_STATUS, unusable } from '../20261121000200_clean_wx_save_form_id.js'
import { IN_SECONDS } from '../20261121000400_complete_wx_save_form_id.js'
import { UNFIT } from '../20261121000700_clean_wx_message_push_status.js'
import { dateOfTime, IS_TIME, todayInChina } from '../20261121000900_complete_wx_message_push_status.js'
import { isThere } from './adopt.js'
import { counters, permits } from './public-tables.js'
import { columnNames, keyNames, type Table } from './tables.js'

export interface TablePreview {
  table: string
  rows: number
  add_columns: string[]
  add_keys: string[]
  /** Rows by what would become of them; one row can be of several kinds. */
  changes: Record<string, number>
}

/**
 * What the adoption would do to the two published tables; a table that is not there is left out. Reads each table
 * twice, without locks, and changes nothing.
 */
export async function previewAdoption(db: Knex, now: number): Promise<TablePreview[]> {
  const tables: TablePreview[] = []
  if (await isThere(db, permits)) tables.push(await preview(db, permits, await permitCounts(db, now)))
  if (await isThere(db, counters)) tables.push(await preview(db, counters, await counterCounts(db, now)))
  return tables
}

async function preview(db: Knex, table: Table, statements: string[]): Promise<TablePreview> {
  const columns = await columnNames(db, table.name)
  const keys = await keyNames(db, table.name)
  const counts: Record<string, number> = {}
  for (const sql of statements) {
    const [row] = await selectRows<Record<string, number | string | null>>(db, sql)
    // A sum is a DECIMAL, which the driver gives as text; of no rows it is NULL.
    for (const [kind, count] of Object.entries(row ?? {})) counts[kind] = Number(count)
  }
  const { total = 0, ...changes } = counts
  const wanted = [...Object.keys(table.uniques ?? {}), ...Object.keys(table.indexes ?? {})]
  return {
    table: table.name,
    rows: total,
    add_columns: table.columns.map(({ name }) => name).filter((name) => !columns.includes(name)),
    add_keys: wanted.filter((name) => !keys.has(name)),
    changes,
  }
}

async function permitCounts(db: Knex, now: number): Promise<string[]> {
  const unspent = `status = 0 AND NOT (${unusable(db)}) AND NOT (${NO_PERMIT})`
  const expireMs = `CASE WHEN ${IN_SECONDS} THEN expire * 1000 ELSE expire END`
  const form = await identity(db, permits, `TRIM(COALESCE(form_id, ''))`)
  return [
    sums(permits, {
      strange_status: STRANGE_STATUS,
      user_id_not_positive: 'user_id <= 0',
      unspent_unusable: `status = 0 AND (${unusable(db)})`,
      unspent_mock_text: `status = 0 AND (${NO_PERMIT})`,
      expire_in_seconds: IN_SECONDS,
      unspent_but_past: `${unspent} AND ${expireMs} <= ${now}`,
    }),
    // Of the unspent rows of a form_id all are closed where one is spent, else all but one.
    `SELECT SUM(n - 1) AS duplicate_form_id,
       SUM(CASE WHEN n = 1 THEN 0 WHEN spent > 0 THEN unspent WHEN unspent > 0 THEN unspent - 1 ELSE 0 END)
         AS unspent_duplicate
     FROM (SELECT COUNT(*) AS n, ${sum('status = 1')} AS spent, ${sum(unspent)} AS unspent
       FROM ${permits.name} GROUP BY ${form}) AS forms`,
  ]
}

async function counterCounts(db: Knex, now: number): Promise<string[]> {
  const date = `CASE WHEN ${IS_TIME} THEN ${dateOfTime(db)} ELSE last_date END`
  return [
    sums(counters, {
      null_or_negative: UNFIT,
      user_id_not_positive: 'user_id <= 0',
      last_date_is_time: IS_TIME,
      last_date_in_future: `${date} > ${todayInChina(now)}`,
    }),
    `SELECT SUM(n - 1) AS merged FROM (SELECT COUNT(*) AS n FROM ${counters.name}
     GROUP BY ${await identity(db, counters, 'COALESCE(user_id, 0)')}) AS users`,
  ]
}

function sums(table: Table, conditions: Record<string, string>): string {
  const parts = Object.entries(conditions).map(([kind, condition]) => `${sum(condition)} AS ${kind}`)
  return `SELECT COUNT(*) AS total, ${parts.join(', ')} FROM ${table.name}`
}

const sum = (condition: string) => `SUM(CASE WHEN ${condition} THEN 1 ELSE 0 END)`

/** What makes rows the same, byte by byte: with our columns too where an interrupted adoption has added them. */
async function identity(db: Knex, table: Table, value: string): Promise<string> {
  const present = await columnNames(db, table.name)
  const ours = ['app_id', 'use_no'].filter((name) => present.includes(name))
  return [...ours, isSqlite(db) ? value : `CAST(${value} AS BINARY)`].join(', ')
}
