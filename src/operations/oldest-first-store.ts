import type { Knex } from 'knex'
import { PAY_HOLD_MS, VALIDITY_MARGIN_MS } from '../books/index.js'
import { mysqlHint, ofAccount, scanRows } from '../db/sql.js'
import { MINUTE_MS } from '../lib/durations.js'
import type { UserId } from '../lib/user-id.js'

export interface YoungerSpentFirst {
  message_id: number
  user_id: UserId
  spent_permit: number
  older_permit: number
}

/**
 * What was written so shortly before a claim may have been committed after it: a transaction has the time of its start,
 * may wait for locks, and the clocks of two hosts differ.
 */
const AT_ONCE_MS = MINUTE_MS

/**
 * Rule: the oldest valid permit is spent first. Looks for a permit that existed when the message was claimed,
 * was still valid when the spent one was taken (a next permit is taken later than the claim), ran out earlier
 * than that one, and was free all the time. One that came in, was given back or changed hands shortly before the claim or
 * after it does not count: its row was written then. Where the sweep has written the row since, the messages that had
 * the permit and the person who gave it tell (`wasTakenSince`), for claims after `since`: of earlier ones, those messages
 * may have been purged. For a row written by hand, without a time, only the id tells whether it existed.
 * A submitted message takes the oldest that is valid when it may go out, and one to an open_id takes that person's.
 * Permits of another kind do not compete with it: a form_id cannot be spent on a subscribe message.
 */
export function findYoungerSpentFirst(
  db: Knex,
  since: number,
  limit: number,
  appId?: string,
): Promise<YoungerSpentFirst[]> {
  const one = ofAccount('m.app_id', appId)
  return scanRows<YoungerSpentFirst>(
    db,
    `SELECT m.id AS message_id, m.user_id, spent.id AS spent_permit, older.id AS older_permit
     FROM wx_push_message m${mysqlHint(db, 'FORCE INDEX (PRIMARY)')}
     JOIN wx_save_form_id spent ON spent.id = m.permit_id AND spent.message_id = m.id
     JOIN wx_save_form_id older ON older.app_id = m.app_id AND older.user_id = m.user_id
       AND (older.source = 'subscribe') = (spent.source = 'subscribe')
       AND (older.template_id = spent.template_id OR older.template_id IS NULL AND spent.template_id IS NULL)
       AND (m.kind = 'reminder' OR older.open_id = spent.open_id AND spent.open_id <> '')
       AND (older.source <> 'pay' OR older.created_at <= m.created_at - ${PAY_HOLD_MS})
       AND older.expire < spent.expire AND older.expire > m.created_at + ${VALIDITY_MARGIN_MS}
       AND older.expire > spent.updated_at + ${VALIDITY_MARGIN_MS}
     LEFT JOIN wx_submitted_message s ON s.message_id = m.id
     WHERE ${one.sql} AND m.state <> 'cancelled' AND older.created_at < m.created_at - ${AT_ONCE_MS}
       AND older.expire > COALESCE(s.not_before, 0) + ${VALIDITY_MARGIN_MS}
       AND (older.created_at > 0 OR older.id < spent.id)
       AND (older.status = 0 AND older.updated_at < m.created_at - ${AT_ONCE_MS}
         OR older.status = 2 AND older.message_id = 0 AND older.updated_at > older.expire
           AND m.created_at > ? AND NOT ${wasTakenSince()})
     LIMIT ?`,
    [...one.bindings, since, limit],
  )
}

/**
 * SQL: whether another message had the permit `older` when `m` was claimed or later, or its giver was bound to a user
 * since. A message that ended without it is cancelled, so it has no day; one that was queued again has its attempts. No
 * index is forced: the audit must work where a DBA has dropped it.
 */
function wasTakenSince(): string {
  const claimed = `m.created_at - ${AT_ONCE_MS}`
  return `(EXISTS (SELECT 1 FROM wx_push_message h
         LEFT JOIN wx_message_attempt a ON a.message_id = h.id AND a.permit_id = older.id
         WHERE h.app_id = older.app_id AND h.business_date IS NULL AND h.user_id = older.user_id
           AND (h.permit_id = older.id AND h.settled_at >= ${claimed} OR a.ended_at >= ${claimed}))
       OR EXISTS (SELECT 1 FROM wx_user w WHERE w.app_id = older.app_id AND w.open_id = older.open_id
         AND w.updated_at >= ${claimed}))`
}
