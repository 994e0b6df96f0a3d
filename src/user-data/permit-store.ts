import type { Knex } from 'knex'
import { isSqlite, selectRows, type Value } from '../db/sql.js'
import { MINUTE_MS } from '../lib/durations.js'
import type { UserId } from '../lib/user-id.js'
import type { Place } from '../permits/store.js'

/** The statements on one user's permits. They lie together by user, so each reads these alone, and no more than it says. */

export interface PermitCount {
  status: number
  source: string
  template_id: string | null
  /** The quarter of an hour in which unspent ones run out, in ms; 0 for the others. */
  quarter: number
  permits: number
}

/** Days begin at a full quarter of an hour in every zone. */
const QUARTER_MS = 15 * MINUTE_MS

/** Counts the `limit` permits that run out last. Plan: range on the key by user. */
export async function countPermits(
  db: Knex,
  appId: string,
  userId: UserId,
  limit: number,
): Promise<PermitCount[]> {
  const rows = await selectRows<PermitCount>(
    db,
    `SELECT status, source, template_id, CASE WHEN status = 0 THEN expire - expire % ${QUARTER_MS} ELSE 0 END AS quarter,
       COUNT(*) AS permits
     FROM (SELECT status, source, template_id, expire FROM wx_save_form_id WHERE app_id = ? AND user_id = ?
       ORDER BY expire DESC LIMIT ?) AS f
     GROUP BY status, source, template_id, quarter`,
    [appId, userId, limit],
  )
  return rows
}

export interface PermitRow extends Place {
  open_id: string
  form_id: string
  use_no: number
  source: string
  template_id: string | null
  page: string | null
  status: number
  message_id: number
  errcode: number | null
  created_at: number
}

/** The next `limit` permits before a place, those that run out last first. Plan: range on the key by user. */
export function findPermits(
  db: Knex,
  appId: string,
  userId: UserId,
  before: Place | undefined,
  limit: number,
): Promise<PermitRow[]> {
  const rest = before ? isBefore(db, before) : { sql: '', bindings: [] }
  return selectRows<PermitRow>(
    db,
    `SELECT id, open_id, form_id, use_no, source, template_id, page, status, expire, message_id, errcode, created_at
     FROM wx_save_form_id WHERE app_id = ? AND user_id = ?${rest.sql} ORDER BY expire DESC, id DESC LIMIT ?`,
    [appId, userId, ...rest.bindings, limit],
  )
}

/** See isBetween: MySQL makes ranges of alternatives, SQLite of a comparison of pairs. */
function isBefore(db: Knex, { expire, id }: Place): { sql: string; bindings: Value[] } {
  return isSqlite(db)
    ? { sql: ' AND (expire, id) < (?, ?)', bindings: [expire, id] }
    : { sql: ' AND (expire = ? AND id < ? OR expire < ?)', bindings: [expire, id, expire] }
}

/** Up to `limit` users who have permits of this open_id. Uses wx_save_form_id_tap_idx. */
export async function findUsersOfGiver(
  db: Knex,
  appId: string,
  openId: string,
  limit: number,
): Promise<UserId[]> {
  const rows = await selectRows<{ user_id: UserId }>(
    db,
    `SELECT DISTINCT user_id FROM (SELECT user_id FROM wx_save_form_id WHERE app_id = ? AND open_id = ? LIMIT ?) AS f`,
    [appId, openId, limit],
  )
  return rows.map(({ user_id }) => user_id)
}
