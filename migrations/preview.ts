import type { Knex } from 'knex'
import { openUnhurried } from '../src/db/connect.js'
import { isSqlite, selectRows } from '../src/db/sql.js'
import { isThere } from './adoption/adopt.js'
import { dateOfTime, IS_TIME, todayInChina, UNFIT } from './adoption/counter-rows.js'
import { IN_SECONDS, NO_PERMIT, STRANGE_STATUS, unusable } from './adoption/permit-rows.js'
import { counters, permits } from './adoption/public-tables.js'
import { migrations } from './index.js'
import { columnNames, missingKeys, type Table } from './lib/tables.js'

export interface MigrationPreview {
  pending: string[]
  /** The published tables that would be adopted, or whose interrupted adoption would go on. */
  tables: TablePreview[]
  /** A rough estimate from the number of rows. */
  seconds: number
}

export interface TablePreview {
  table: string
  rows: number
  add_columns: string[]
  add_keys: string[]
  /** Rows by what would happen to them; one row can be of several kinds. */
  changes: Record<string, number>
}

/** Measured with MariaDB on two loaded cores: 2,000,000 permits and 380,000 counters took 92 s. */
const ROWS_PER_SECOND = 2_380_000 / 92

/** What the pending migrations would do, and how long they would take. Only counts, and changes nothing. */
export async function previewMigrations(db: Knex, pending: string[], now: number): Promise<MigrationPreview> {
  const adopts = pending.some((name) => migrations[name]?.adopts)
  const tables = adopts ? await unhurried(db, (reading) => previewAdoption(reading, now)) : []
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  return { pending, tables, seconds: Math.ceil(rows / ROWS_PER_SECOND) }
}

/** Counting millions of rows takes longer than a statement of the service may. */
async function unhurried<T>(db: Knex, read: (db: Knex) => Promise<T>): Promise<T> {
  if (isSqlite(db)) return read(db)
  const pool = openUnhurried(db)
  try {
    return await read(pool)
  } finally {
    await pool.destroy()
  }
}

/**
 * What the adoption would do to the two published tables; a missing table is left out. Reads each table
 * twice, without locks, and changes nothing.
 */
async function previewAdoption(db: Knex, now: number): Promise<TablePreview[]> {
  const tables: TablePreview[] = []
  if (await isThere(db, permits)) tables.push(await preview(db, permits, await permitCounts(db, now)))
  if (await isThere(db, counters)) tables.push(await preview(db, counters, await counterCounts(db, now)))
  return tables
}

async function preview(db: Knex, table: Table, statements: string[]): Promise<TablePreview> {
  const columns = await columnNames(db, table.name)
  const counts: Record<string, number> = {}
  for (const sql of statements) {
    const [row] = await selectRows<Record<string, number | string | null>>(db, sql)
    // A sum is a DECIMAL, which the driver returns as text; without rows it is NULL.
    for (const [kind, count] of Object.entries(row ?? {})) counts[kind] = Number(count)
  }
  const { total = 0, ...changes } = counts
  return {
    table: table.name,
    rows: total,
    add_columns: table.columns.map(({ name }) => name).filter((name) => !columns.includes(name)),
    add_keys: await missingKeys(db, table),
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
    // If one row of a form_id is spent, all its unspent rows are closed; otherwise all but one.
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

/** What makes rows the same, byte by byte; includes our columns if an interrupted adoption has added them. */
async function identity(db: Knex, table: Table, value: string): Promise<string> {
  const present = await columnNames(db, table.name)
  const ours = ['app_id', 'use_no'].filter((name) => present.includes(name))
  return [...ours, isSqlite(db) ? value : `CAST(${value} AS BINARY)`].join(', ')
}
