import type { Knex } from 'knex'
import { selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/** The statements on who a user is. */

export interface PersonRow {
  open_id: string
  union_id: string | null
  opted_out_at: number | null
  blocked_at: number | null
  stop_errcode: number | null
  stop_message_id: number | null
  stop_template_id: string | null
  created_at: number
}

/** The open_ids that are bound to a user. Uses wx_user_user_idx. */
export function findPersonsOfUser(
  db: Knex,
  appId: string,
  userId: UserId,
  limit: number,
): Promise<PersonRow[]> {
  return selectRows<PersonRow>(
    db,
    `SELECT open_id, union_id, opted_out_at, blocked_at, stop_errcode, stop_message_id, stop_template_id, created_at
     FROM wx_user
     WHERE app_id = ? AND user_id = ? ORDER BY open_id LIMIT ?`,
    [appId, userId, limit],
  )
}

export interface CounterRow {
  count: number
  last_date: number
}

export async function findCounter(db: Knex, appId: string, userId: UserId): Promise<CounterRow | undefined> {
  const [row] = await selectRows<CounterRow>(
    db,
    'SELECT count, last_date FROM wx_message_push_status WHERE app_id = ? AND user_id = ?',
    [appId, userId],
  )
  return row
}
