import type { Knex } from 'knex'
import { mysqlHint, selectRows } from '../db/sql.js'
import { CODE } from '../wechat/codes.js'
import { isNamed, type Named } from './named.js'

/**
 * The subscriptions of these people that the refusal of a message voided, and that no later accept of their template
 * has followed: WeChat's credit is since known by that one. What an event of WeChat's voided names no message, and is
 * not among them. A person has few; uses wx_save_form_id_tap_idx.
 */
export async function findVoidedOf(trx: Knex.Transaction, named: Named): Promise<number[]> {
  const { sql, bindings } = isNamed(named)
  const byTap = mysqlHint(trx, 'FORCE INDEX (wx_save_form_id_tap_idx)')
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT f.id FROM (SELECT app_id, open_id, user_id FROM wx_user WHERE ${sql}) u
     JOIN wx_save_form_id f${byTap} ON f.app_id = u.app_id AND f.open_id = u.open_id AND f.user_id = u.user_id
     WHERE f.source = 'subscribe' AND f.status = 2 AND f.errcode = ? AND f.message_id > 0
       AND NOT EXISTS (SELECT 1 FROM wx_save_form_id later${byTap}
         WHERE later.app_id = f.app_id AND later.open_id = f.open_id AND later.template_id = f.template_id
           AND later.source = 'subscribe' AND later.tapped_at > f.updated_at)`,
    [...bindings, CODE.refusedByUser],
  )
  return rows.map(({ id }) => id)
}
