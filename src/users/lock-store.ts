import type { Knex } from 'knex'
import { execute, forUpdate, isSqlite, selectRows } from '../db/sql.js'
import type { BoundPerson } from './person.js'

/**
 * Locks the person's row of wx_user, creating it if need be, so that simultaneous reports of one tap wait for
 * each other. Returns when the person refused messages, which one, and of which template (null: all), if WeChat told
 * us; what was recorded by hand stays as it is.
 */
export async function lockPerson(
  trx: Knex.Transaction,
  { appId, openId, userId }: BoundPerson,
  now: number,
): Promise<{ refusedAt: number | null; messageId: number | null; templateId: string | null }> {
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id, open_id) DO NOTHING'
    : 'ON DUPLICATE KEY UPDATE open_id = VALUES(open_id)'
  await execute(
    trx,
    `INSERT INTO wx_user (app_id, open_id, user_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?) ${onDuplicate}`,
    [appId, openId, userId, now, now],
  )
  const [row] = await selectRows<{
    opted_out_at: number | null
    stop_errcode: number | null
    stop_message_id: number | null
    stop_template_id: string | null
  }>(
    trx,
    `SELECT opted_out_at, stop_errcode, stop_message_id, stop_template_id FROM wx_user WHERE app_id = ? AND open_id = ?${forUpdate(trx)}`,
    [appId, openId],
  )
  return {
    refusedAt: row && row.stop_errcode !== null ? row.opted_out_at : null,
    messageId: row?.stop_message_id ?? null,
    templateId: row?.stop_template_id ?? null,
  }
}
