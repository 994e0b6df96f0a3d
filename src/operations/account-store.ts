import type { Knex } from 'knex'
import { selectRows } from '../db/sql.js'

/** Those that begin with an account: whoever has done anything here is in one of them. */
const TABLES = ['wx_message_push_status', 'wx_save_form_id', 'wx_user', 'wx_push_message']

/** Whether the database has rows of this account. One look into an index for each table. */
export async function hasRows(db: Knex, appId: string): Promise<boolean> {
  for (const table of TABLES) {
    const rows = await selectRows(db, `SELECT app_id FROM ${table} WHERE app_id = ? LIMIT 1`, [appId])
    if (rows.length > 0) return true
  }
  return false
}
