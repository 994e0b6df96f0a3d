import type { Knex } from 'knex'
import { execute } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/** Changes to `last_date` alone: no permit changes, so no count does. */

/**
 * Sets `last_date` to `date` for the users after `after`, up to and including `end`, whose `last_date` is earlier.
 */
export async function lastRemindedOn(
  db: Knex,
  appId: string,
  { after, end }: { after: UserId; end: UserId },
  date: number,
  now: number,
): Promise<void> {
  await execute(
    db,
    `UPDATE wx_message_push_status SET last_date = ?, updated_at = ?
     WHERE app_id = ? AND user_id > ? AND user_id <= ? AND last_date < ?`,
    [date, now, appId, after, end, date],
  )
}

/**
 * Sets a `last_date` later than `latest` back to the day of the last reminder on record up to `latest`, or to `today`
 * if there is none. Returns whether it changed anything.
 */
export async function setLastDateBack(
  db: Knex,
  { appId, userId, latest, today }: { appId: string; userId: UserId; latest: number; today: number },
  now: number,
): Promise<boolean> {
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_message_push_status SET updated_at = ?, last_date = COALESCE(
       (SELECT MAX(m.business_date) FROM wx_job_run r
         JOIN wx_push_message m ON m.app_id = r.app_id AND m.business_date = r.slot AND m.user_id = ?
         WHERE r.job = 'remind' AND r.app_id = ? AND r.slot <= ? AND m.kind = 'reminder' AND m.state <> 'cancelled'), ?)
     WHERE app_id = ? AND user_id = ? AND last_date > ?`,
    [now, userId, appId, latest, today, appId, userId, latest],
  )
  return affectedRows > 0
}
