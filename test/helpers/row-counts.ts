import type { Knex } from 'knex'
import { selectRows } from '../../src/db/sql.js'

const TABLES = ['wx_save_form_id', 'wx_message_push_status', 'wx_push_message', 'wx_sign_in'] as const

/** How many rows the tables have that callers and runs write to. */
export async function countRows(db: Knex): Promise<Record<(typeof TABLES)[number], number>> {
  const rows = await selectRows<Record<(typeof TABLES)[number], number>>(
    db,
    `SELECT ${TABLES.map((table) => `(SELECT COUNT(*) FROM ${table}) AS ${table}`).join(', ')}`,
  )
  const [counts] = rows
  if (!counts) throw new Error('SELECT without FROM gave no row')
  return { ...counts }
}
