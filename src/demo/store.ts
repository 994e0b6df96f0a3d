import type { Knex } from 'knex'
import { execute, selectRows } from '../db/sql.js'

/** The users who were reminded on a day. Sample users have small numbers. */
export async function findReminded(db: Knex, appId: string, date: number): Promise<number[]> {
  const rows = await selectRows<{ user_id: number }>(
    db,
    "SELECT user_id FROM wx_push_message WHERE app_id = ? AND business_date = ? AND state = 'delivered'",
    [appId, date],
  )
  return rows.map(({ user_id }) => user_id)
}

export interface Delivered {
  open_id: string
  /** null if it needed no permit. */
  form_id: string | null
  msgid: string | null
}

/** The messages that our books call delivered. */
export function findDelivered(db: Knex, appId: string): Promise<Delivered[]> {
  return selectRows<Delivered>(
    db,
    `SELECT COALESCE(m.open_id, f.open_id) AS open_id, f.form_id, m.msgid FROM wx_push_message m
     LEFT JOIN wx_save_form_id f ON f.id = m.permit_id
     WHERE m.app_id = ? AND m.state = 'delivered'`,
    [appId],
  )
}

/** A token lives two hours by the database's clock, which does not jump from day to day as the demo's does. */
export async function forgetToken(db: Knex, appId: string): Promise<void> {
  await execute(db, 'DELETE FROM wx_access_token WHERE app_id = ?', [appId])
}
