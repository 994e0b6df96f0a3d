import type { Knex } from 'knex'
import { isForReminders, PAY_HOLD_MS, VALIDITY_MARGIN_MS } from '../books/index.js'
import { mysqlHint, selectRows } from '../db/sql.js'
import type { Range } from '../runs/ranges.js'
import { isStopped } from '../users/stopped.js'

/** How many counters one statement reads, with their unspent permits. */
export const PAGE = 2_000

/** The two sides of a move: the template of each is what a stop may be about. */
export interface BridgeOf {
  appId: string
  /** Of the reminder on form_id. */
  formTemplateId: string
  /** Of the reminder on subscribe. */
  templateId: string
  /** The next run: its day and the moment at which permits must be valid. */
  run: { date: number; at: number }
}

/** Users who have the same on each side. 1 or 0; SQL's sums of them are `users`. */
export interface BridgeRow {
  form_now: number
  subscribe_now: number
  form_then: number
  subscribe_then: number
  form_stopped: number
  subscribe_stopped: number
  /** Reminded on the day of the run already, or signed in. */
  is_done: number
  users: number
}

/**
 * Counts the users of a page by what they have on each side. Reads each counter once, and of those with a permit the
 * permits that have not run out.
 * Plan on MySQL: p range PRIMARY, s and m eq_ref, u ref wx_user_user_idx, f ref wx_save_form_id_oldest_idx.
 */
export function countSides(db: Knex, page: Range, of: BridgeOf, now: number): Promise<BridgeRow[]> {
  const { appId, formTemplateId, templateId, run } = of
  const isForm = isForReminders({ channel: 'form_id', templateId: formTemplateId })
  const isSubscription = isForReminders({ channel: 'subscribe', templateId })
  const has = (kind: string) => `MAX(CASE WHEN f.id IS NOT NULL AND ${kind} THEN 1 ELSE 0 END)`
  const isHeld = "f.source = 'pay' AND f.created_at > ?"
  const stopped = (template: string) =>
    `CASE WHEN EXISTS (SELECT 1 FROM wx_user u${mysqlHint(db, 'FORCE INDEX (wx_user_user_idx)')}
       WHERE u.app_id = p.app_id AND u.user_id = p.user_id AND ${isStopped('u', template)}) THEN 1 ELSE 0 END`
  return selectRows<BridgeRow>(
    db,
    `SELECT form_now, subscribe_now, form_then, subscribe_then, form_stopped, subscribe_stopped, is_done,
       COUNT(*) AS users
     FROM (
       SELECT p.user_id, ${has(`(${isForm.sql})`)} AS form_now, ${has(`(${isSubscription.sql})`)} AS subscribe_now,
         ${has(`(${isForm.sql}) AND f.expire > ? AND NOT (${isHeld})`)} AS form_then,
         ${has(`(${isSubscription.sql}) AND f.expire > ?`)} AS subscribe_then,
         ${stopped('?')} AS form_stopped, ${stopped('?')} AS subscribe_stopped,
         CASE WHEN p.last_date >= ? OR EXISTS (SELECT 1 FROM wx_sign_in s
             WHERE s.app_id = p.app_id AND s.user_id = p.user_id AND s.day = ?)
           OR EXISTS (SELECT 1 FROM wx_push_message m
             WHERE m.app_id = p.app_id AND m.business_date = ? AND m.user_id = p.user_id) THEN 1 ELSE 0 END AS is_done
       FROM wx_message_push_status p
       LEFT JOIN wx_save_form_id f${mysqlHint(db, 'FORCE INDEX (wx_save_form_id_oldest_idx)')}
         ON f.app_id = p.app_id AND f.user_id = p.user_id AND f.expire > ? AND f.status = 0 AND p.count > 0
       WHERE p.app_id = ? AND p.user_id > ? AND p.user_id <= ?
       GROUP BY p.app_id, p.user_id, p.last_date) AS sides
     GROUP BY form_now, subscribe_now, form_then, subscribe_then, form_stopped, subscribe_stopped, is_done`,
    [
      ...isForm.bindings,
      ...isSubscription.bindings,
      ...isForm.bindings,
      run.at + VALIDITY_MARGIN_MS,
      run.at - PAY_HOLD_MS,
      ...isSubscription.bindings,
      run.at + VALIDITY_MARGIN_MS,
      formTemplateId,
      templateId,
      run.date,
      run.date,
      run.date,
      now + VALIDITY_MARGIN_MS,
      appId,
      page.cur,
      page.hi,
    ],
  )
}
