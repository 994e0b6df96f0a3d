import type { Knex } from 'knex'
import { mysqlHint, ofAccount, scanRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { MessageKind } from '../messages/message.js'
import { byMessage } from './by-message.js'

/**
 * The statements of the audit. Each reads whole tables and is on no hot path. Each returns the rows that
 * break a rule, at most `limit` of them: those of one account, or of all if `appId` is left out.
 */

export interface WrongCounter {
  app_id: string
  user_id: UserId
  /** The counter's value; null if the user has none. */
  count: number | null
  permits: number
}

/**
 * Rule: count = number of the user's permits with status 0. Finds users without a counter too. Both tables
 * are read once and grouped, whatever the planner knows of them: a look-up for each counter was seen to read
 * the whole table each time, while the statistics of a freshly filled table said that it was empty (MariaDB;
 * 5,000 users: 30 s).
 */
export function findWrongCounters(db: Knex, limit: number, appId?: string): Promise<WrongCounter[]> {
  const one = ofAccount('app_id', appId)
  return scanRows<WrongCounter>(
    db,
    `SELECT app_id, user_id, MAX(count) AS count, CAST(SUM(permit) AS SIGNED) AS permits FROM (
       SELECT app_id, user_id, count, 0 AS permit FROM wx_message_push_status WHERE ${one.sql}
       UNION ALL SELECT app_id, user_id, NULL, 1 FROM wx_save_form_id WHERE ${one.sql} AND status = 0) AS both_sides
     GROUP BY app_id, user_id HAVING COALESCE(MAX(count), -1) <> SUM(permit) LIMIT ?`,
    [...one.bindings, ...one.bindings, limit],
  )
}

export interface DoubleReminder {
  app_id: string
  user_id: UserId
  date: number
  reminders: number
}

/**
 * Rule: at most one reminder per user and day. Grouped by the run's day, because the unique key ignores an
 * empty business_date.
 */
export function findDoubleReminders(db: Knex, limit: number, appId?: string): Promise<DoubleReminder[]> {
  const one = ofAccount('m.app_id', appId)
  return scanRows<DoubleReminder>(
    db,
    `SELECT m.app_id, m.user_id, COALESCE(r.slot, m.business_date) AS date, COUNT(*) AS reminders
     FROM wx_push_message m LEFT JOIN wx_job_run r ON r.id = m.run_id
     WHERE ${one.sql} AND m.kind = 'reminder' AND m.state <> 'cancelled'
     GROUP BY m.app_id, m.user_id, COALESCE(r.slot, m.business_date) HAVING COUNT(*) > 1 LIMIT ?`,
    [...one.bindings, limit],
  )
}

export interface Mismatch {
  message_id: number | null
  permit_id: number | null
}

/**
 * A permit spent by a message that does not have it: the message is gone, cancelled, or on another permit
 * without a code.
 */
export function findSpentWithoutMessage(db: Knex, limit: number, appId?: string): Promise<Mismatch[]> {
  const one = ofAccount('f.app_id', appId)
  return scanRows<Mismatch>(
    db,
    `SELECT f.message_id, f.id AS permit_id FROM wx_save_form_id f
     LEFT JOIN wx_push_message m ON m.id = f.message_id
     WHERE ${one.sql} AND f.status = 1 AND f.message_id > 0
       AND (m.id IS NULL OR (COALESCE(m.permit_id, 0) <> f.id OR m.state = 'cancelled') AND f.errcode IS NULL)
     LIMIT ?`,
    [...one.bindings, limit],
  )
}

/**
 * A message that was claimed, or submitted and is not settled or was sent, although its permit is not spent on it. One
 * of a service account has none: it must have the open_id that it goes to, until it is settled.
 */
export function findMessagesWithoutPermit(db: Knex, limit: number, appId?: string): Promise<Mismatch[]> {
  const one = ofAccount('m.app_id', appId)
  return scanRows<Mismatch>(
    db,
    `SELECT m.id AS message_id, m.permit_id FROM wx_push_message m
     LEFT JOIN wx_card c ON c.id = m.card_id
     LEFT JOIN wx_save_form_id f ON f.id = m.permit_id
     WHERE ${one.sql} AND m.state <> 'cancelled' AND CASE
       WHEN c.channel = 'official' AND m.permit_id IS NULL
         THEN m.open_id IS NULL AND m.state IN ('queued', 'sending', 'retry')
       WHEN m.kind = 'api' AND m.permit_id IS NULL THEN 1 = 0
       ELSE f.id IS NULL OR f.status <> 1 OR f.message_id <> m.id END
     LIMIT ?`,
    [...one.bindings, limit],
  )
}

export interface WrongReceiver {
  message_id: number
  permit_id: number
}

/** Rule: a permit goes to the open_id that gave it. WeChat accepts it for nobody else. */
export function findWrongReceivers(db: Knex, limit: number, appId?: string): Promise<WrongReceiver[]> {
  const one = ofAccount('m.app_id', appId)
  return scanRows<WrongReceiver>(
    db,
    `SELECT m.id AS message_id, f.id AS permit_id FROM wx_push_message m
     JOIN wx_save_form_id f ON f.id = m.permit_id AND f.message_id = m.id
     WHERE ${one.sql} AND m.state <> 'cancelled' AND f.open_id <> m.open_id LIMIT ?`,
    [...one.bindings, limit],
  )
}

/**
 * Rule: the totals of an ended run are those of its messages. Checks runs started after `since`: the messages
 * of older ones may have been purged.
 */
export function findWrongTotals(
  db: Knex,
  since: number,
  limit: number,
  appId?: string,
): Promise<{ run_id: number }[]> {
  const one = ofAccount('r.app_id', appId)
  const totals = [
    { total: 'delivered', states: "'delivered'" },
    { total: 'failed', states: "'failed'" },
    { total: 'unknown', states: "'unknown'" },
    { total: 'cancelled', states: "'cancelled'" },
    { total: 'retrying', states: "'retry', 'queued', 'sending'" },
  ]
  const recorded = totals.map(({ total }) => `r.${total}`).join(', ')
  const counts = totals.map(({ total, states }) => ({
    total,
    count: `COUNT(CASE WHEN m.state IN (${states}) THEN 1 END)`,
  }))
  return scanRows<{ run_id: number }>(
    db,
    `SELECT r.id AS run_id, ${recorded}, ${counts.map(({ total, count }) => `${count} AS ${total}_messages`).join(', ')}
     FROM wx_job_run r LEFT JOIN wx_push_message m ON m.run_id = r.id
     WHERE ${one.sql} AND r.job = 'remind' AND r.state <> 'running' AND r.started_at > ?
     GROUP BY r.id, ${recorded}
     HAVING ${counts.map(({ total, count }) => `r.${total} <> ${count}`).join(' OR ')} LIMIT ?`,
    [...one.bindings, since, limit],
  )
}

export interface StrandedMessage {
  message_id: number
  app_id: string
  kind: MessageKind
  state: 'queued' | 'sending' | 'retry'
}

/**
 * Rule: nothing is lost. A message that is not settled has a claim, or a time of its next attempt; a submitted one that
 * is queued has either.
 */
export function findStranded(db: Knex, limit: number, appId?: string): Promise<StrandedMessage[]> {
  const one = ofAccount('m.app_id', appId)
  return byMessage(db, { name: 'wx_push_message', id: 'id' }, limit, ({ after, to }, most) =>
    scanRows<StrandedMessage>(
      db,
      `SELECT m.id AS message_id, m.app_id, m.kind, m.state FROM wx_push_message m
       LEFT JOIN wx_claim c ON c.id = m.claim_id
       LEFT JOIN wx_message_retry r ON r.message_id = m.id
       WHERE m.id > ? AND m.id <= ? AND ${one.sql} AND (m.state IN ('queued', 'sending') AND c.id IS NULL
           AND (m.kind = 'reminder' OR m.state = 'sending' OR r.message_id IS NULL)
         OR m.state = 'retry' AND r.message_id IS NULL) ORDER BY m.id LIMIT ?`,
      [after, to, ...one.bindings, most],
    ),
  )
}

export interface DisagreeingEnd {
  message_id: number
  app_id: string
  /** What wx_submitted_message says. */
  submitted: string
  /** null: its row of wx_push_message is gone. */
  state: string | null
}

/**
 * Rule: a submitted message ended for its backend as it ended. `cancelled` may be more exact there. One whose message was
 * deleted would count for ever among those that its user still has open. Pages through wx_submitted_message, so that
 * reminders cost it nothing.
 */
export function findDisagreeingEnds(db: Knex, limit: number, appId?: string): Promise<DisagreeingEnd[]> {
  const one = ofAccount('s.app_id', appId)
  return byMessage(db, { name: 'wx_submitted_message', id: 'message_id' }, limit, ({ after, to }, most) =>
    scanRows<DisagreeingEnd>(
      db,
      `SELECT s.message_id, s.app_id, s.state AS submitted, m.state
       FROM wx_submitted_message s${mysqlHint(db, 'FORCE INDEX (PRIMARY)')}
       LEFT JOIN wx_push_message m ON m.id = s.message_id
       WHERE s.message_id > ? AND s.message_id <= ? AND ${one.sql} AND CASE
         WHEN m.id IS NULL THEN 1 = 1
         WHEN m.kind <> 'api' THEN 1 = 0
         WHEN m.state IN ('queued', 'sending', 'retry') THEN s.state <> 'open'
         WHEN m.state = 'cancelled' THEN s.state NOT IN ('cancelled', 'no_permit', 'expired', 'dead')
         ELSE s.state <> m.state END ORDER BY s.message_id LIMIT ?`,
      [after, to, ...one.bindings, most],
    ),
  )
}

export interface FutureDate {
  app_id: string
  user_id: UserId
  last_date: number
}

/** Rule: nobody was last reminded on a future day. Such a user would not be reminded until then. */
export function findFutureDates(
  db: Knex,
  latest: number,
  limit: number,
  appId?: string,
): Promise<FutureDate[]> {
  const one = ofAccount('app_id', appId)
  return scanRows<FutureDate>(
    db,
    `SELECT app_id, user_id, last_date FROM wx_message_push_status WHERE ${one.sql} AND last_date > ? LIMIT ?`,
    [...one.bindings, latest, limit],
  )
}
