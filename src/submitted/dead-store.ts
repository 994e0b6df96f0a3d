import type { Knex } from 'knex'
import { inThisOrder, mysqlHint, selectRows, type Value } from '../db/sql.js'

/** Which dead letters of an account. */
export interface DeadFilter {
  templateId?: string | undefined
  /** Of WeChat's last answer. */
  errcode?: number | undefined
}

export interface DeadByCode {
  errcode: number | null
  messages: number
  /** Of these, those whose not_after is over. */
  late: number
}

/**
 * The oldest dead letters of an account, at most `looks` of them, by code, where the filter means them. Uses
 * wx_submitted_message_state_idx.
 */
export async function countDead(
  db: Knex,
  appId: string,
  { templateId, errcode }: DeadFilter,
  { looks, now }: { looks: number; now: number },
): Promise<DeadByCode[]> {
  const rows = await selectRows<DeadByCode>(
    db,
    `SELECT errcode, COUNT(*) AS messages, SUM(is_late) AS late FROM (
       SELECT s.template_id, m.errcode, CASE WHEN s.not_after <= ? THEN 1 ELSE 0 END AS is_late
       FROM wx_submitted_message s${mysqlHint(db, 'FORCE INDEX (wx_submitted_message_state_idx)')}
       ${inThisOrder(db)} wx_push_message m ON m.id = s.message_id
       WHERE s.app_id = ? AND s.state = 'dead' ORDER BY s.message_id LIMIT ?) dead
     WHERE (? IS NULL OR template_id = ?) AND (? IS NULL OR errcode = ?)
     GROUP BY errcode ORDER BY messages DESC, errcode`,
    [now, appId, looks, ...twice(templateId), ...twice(errcode)],
  )
  return rows.map(({ errcode: code, messages, late }) => ({
    errcode: code,
    messages: Number(messages),
    late: Number(late),
  }))
}

/** For a condition that is left out where nothing is asked for. */
function twice(asked: Value | undefined): [Value, Value] {
  return [asked ?? null, asked ?? null]
}
