import type { Knex } from 'knex'
import { type Condition, OLDEST_FIRST } from '../books/index.js'
import { selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/** The ends of validity of a user's usable permits, the earliest first. Uses the key by user. */
export async function findExpires(
  db: Knex,
  appId: string,
  userId: UserId,
  usable: Condition,
  limit: number,
): Promise<number[]> {
  const rows = await selectRows<{ expire: number }>(
    db,
    `SELECT f.expire FROM wx_save_form_id f WHERE f.app_id = ? AND f.user_id = ? AND ${usable.sql}
     ORDER BY ${OLDEST_FIRST} LIMIT ?`,
    [appId, userId, ...usable.bindings, limit],
  )
  return rows.map(({ expire }) => expire)
}

/** How many unspent subscriptions a user has, by template. Uses the key by user. */
export async function countSubscriptions(
  db: Knex,
  appId: string,
  userId: UserId,
  now: number,
): Promise<Map<string, number>> {
  const rows = await selectRows<{ template_id: string; permits: number }>(
    db,
    `SELECT f.template_id, COUNT(*) AS permits FROM wx_save_form_id f
     WHERE f.app_id = ? AND f.user_id = ? AND f.expire > ? AND f.source = 'subscribe' AND f.status = 0
       AND f.template_id IS NOT NULL GROUP BY f.template_id`,
    [appId, userId, now],
  )
  return new Map(rows.map(({ template_id, permits }) => [template_id, permits]))
}

export interface StopRow {
  opted_out_at: number | null
  blocked_at: number | null
  /** null if it was recorded by hand. */
  stop_errcode: number | null
  /** The one template that an opt-out is about; null: all messages. */
  stop_template_id: string | null
}

/** The stops of a user's open_ids. A claim skips the user if one of them holds for its template. Uses wx_user_user_idx. */
export async function findStops(db: Knex, appId: string, userId: UserId): Promise<StopRow[]> {
  return selectRows<StopRow>(
    db,
    `SELECT opted_out_at, blocked_at, stop_errcode, stop_template_id FROM wx_user
     WHERE app_id = ? AND user_id = ? AND (opted_out_at IS NOT NULL OR blocked_at IS NOT NULL)`,
    [appId, userId],
  )
}

/** Whether the user's reminder for the day is over: it was sent, or a sign-in made it unnecessary. */
export async function isDayDone(db: Knex, appId: string, userId: UserId, date: number): Promise<boolean> {
  const rows = await selectRows(
    db,
    `SELECT 1 FROM wx_message_push_status WHERE app_id = ? AND user_id = ? AND last_date >= ?
     UNION ALL SELECT 1 FROM wx_sign_in WHERE app_id = ? AND user_id = ? AND day = ? LIMIT 1`,
    [appId, userId, date, appId, userId, date],
  )
  return rows.length > 0
}
