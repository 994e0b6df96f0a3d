import type { Knex } from 'knex'
import { openUnhurried } from '../src/db/connect.js'
import { isSqlite } from '../src/db/sql.js'
import { previewAdoption, type TablePreview } from './lib/preview.js'

export interface MigrationPreview {
  pending: string[]
  /** The published tables that would be adopted, or whose interrupted adoption would go on. */
  tables: TablePreview[]
  /** Roughly, from the number of rows. */
  seconds: number
}

const FIRST_OF_ADOPTION = '20261121000200_clean_wx_save_form_id'
const LAST_OF_ADOPTION = '20261121001200_recount_wx_message_push_status'
/** Measured with MariaDB on two loaded cores: 2,000,000 permits and 380,000 counters took 92 s. */
const ROWS_PER_SECOND = 2_380_000 / 92

/** What the pending migrations would do, and for how long: by counting, with nothing changed. */
export async function previewMigrations(db: Knex, pending: string[], now: number): Promise<MigrationPreview> {
  const adopts = pending.some((name) => name >= FIRST_OF_ADOPTION && name <= LAST_OF_ADOPTION)
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
