import type { Knex } from 'knex'
import { type Channel, needsPermit } from '../channel.js'
import { mysqlHint, type Value } from '../db/sql.js'
import { PAY_HOLD_MS, VALIDITY_MARGIN_MS } from './permit.js'

/** An SQL condition with its bindings. */
export interface Condition {
  sql: string
  bindings: Value[]
}

/** True of rows `f` of wx_save_form_id that are unspent and stay valid for longer than the margin. */
export function isValid(now: number): Condition {
  return { sql: 'f.status = 0 AND f.expire > ?', bindings: [now + VALIDITY_MARGIN_MS] }
}

/** The order in which a user's permits are spent, on rows `f` of wx_save_form_id. */
export const OLDEST_FIRST = 'f.expire, f.id'

/**
 * True of rows `f` of wx_save_form_id that a message of this channel and template may spend now: valid, and of the
 * kind that the channel takes. Messages of a service account need no permit.
 */
export function isUsable(
  { channel, templateId }: { channel: Channel; templateId: string },
  now: number,
): Condition {
  const valid = isValid(now)
  switch (channel) {
    case 'form_id':
      return {
        sql: `${valid.sql} AND (f.source = 'form' OR f.source = 'pay' AND f.created_at <= ?)`,
        bindings: [...valid.bindings, now - PAY_HOLD_MS],
      }
    case 'subscribe':
      return {
        sql: `${valid.sql} AND f.source = 'subscribe' AND f.template_id = ?`,
        bindings: [...valid.bindings, templateId],
      }
    case 'official':
      return { sql: '1 = 0', bindings: [] }
  }
}

/** Of these permits, those that an open_id gave. */
export function givenBy({ sql, bindings }: Condition, openId: string): Condition {
  return { sql: `${sql} AND f.open_id = ?`, bindings: [...bindings, openId] }
}

/**
 * What a message needs of its user when it is claimed: a permit that it may spend, or, on a service account, no more
 * than an open_id to go to.
 */
export type Need = { kind: 'permit'; usable: Condition; runsOutAfter: number } | { kind: 'open_id' }

/** What the reminders of an account need of their users now. */
export function needOf(account: { channel: Channel; templateId: string }, now: number): Need {
  if (!needsPermit(account.channel)) return { kind: 'open_id' }
  return { kind: 'permit', usable: isUsable(account, now), runsOutAfter: now + VALIDITY_MARGIN_MS }
}

/** True of rows `f` of wx_save_form_id that are of the kind that the channel's reminders spend, whatever their state. */
export function isForReminders({ channel, templateId }: { channel: Channel; templateId: string }): Condition {
  switch (channel) {
    case 'form_id':
      return { sql: "f.source IN ('form', 'pay')", bindings: [] }
    case 'subscribe':
      return { sql: "f.source = 'subscribe' AND f.template_id = ?", bindings: [templateId] }
    case 'official':
      return { sql: '1 = 0', bindings: [] }
  }
}

/**
 * SQL for the id of the oldest usable permit of counter `p`'s user, or NULL. It takes the bindings of `usable`.
 * The index is forced: while the statistics of freshly filled tables still say that they are empty, MariaDB was seen
 * to read all permits of the account for each user (2,000 users: 1.9 million rows). The primary key, whose order is the
 * same, would read the rows of a user's old permits too.
 */
export function oldestUsablePermit(db: Knex, usable: Condition): string {
  return `(SELECT f.id FROM wx_save_form_id f${mysqlHint(db, 'FORCE INDEX (wx_save_form_id_oldest_idx)')}
     WHERE f.app_id = p.app_id AND f.user_id = p.user_id AND ${usable.sql}
     ORDER BY ${OLDEST_FIRST} LIMIT 1)`
}

/**
 * SQL for what a message to counter `p`'s user would go out with: the id of the oldest usable permit, or the open_id
 * that was bound last; NULL if there is none. `only` is an SQL condition on the outer row, beside which it is not even
 * looked for. A user has one open_id, rarely more.
 */
export function sentWith(db: Knex, need: Need, only?: string): Condition {
  const alsoOnly = only === undefined ? '' : ` AND ${only}`
  if (need.kind === 'permit') {
    const usable = { ...need.usable, sql: `${need.usable.sql}${alsoOnly}` }
    return { sql: oldestUsablePermit(db, usable), bindings: usable.bindings }
  }
  const sql = `(SELECT w.open_id FROM wx_user w${mysqlHint(db, 'FORCE INDEX (wx_user_user_idx)')}
     WHERE w.app_id = p.app_id AND w.user_id = p.user_id${alsoOnly} ORDER BY w.created_at DESC, w.open_id LIMIT 1)`
  return { sql, bindings: [] }
}

/**
 * True of counters `p` whose user has a permit, spent or not, that runs out late enough. It reads one index entry, where
 * looking for the oldest usable permit reads all of a user without one. `only` is as for sentWith.
 */
export function hasLatePermit(db: Knex, runsOutAfter: number, only: string): Condition {
  return {
    sql: `(SELECT l.expire FROM wx_save_form_id l${mysqlHint(db, 'FORCE INDEX (wx_save_form_id_oldest_idx)')}
     WHERE l.app_id = p.app_id AND l.user_id = p.user_id AND ${only} ORDER BY l.expire DESC LIMIT 1) > ?`,
    bindings: [runsOutAfter],
  }
}

/** True of counters `p` that can be due at all: a service account's users need no permit. */
export function mayBeDue(need: Need): string {
  return need.kind === 'permit' ? 'p.count > 0' : '1 = 1'
}
