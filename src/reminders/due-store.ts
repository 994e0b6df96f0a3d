import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { type Condition, hasLatePermit, mayBeDue, type Need, needOf, sentWith } from '../books/index.js'
import { execute, isSqlite, mysqlHint, placeholders, selectRows } from '../db/sql.js'
import { addDays } from '../lib/business-date.js'
import type { UserId } from '../lib/user-id.js'
import type { Range } from '../runs/ranges.js'
import { isStopped } from '../users/stopped.js'

export { boundRange } from '../runs/user-pages.js'

/** A business date, what its reminders need of their users at the moment of asking, and their template. */
export interface Day {
  date: number
  need: Need
  templateId: string
}

/** The day of an account's reminders, at this moment. */
export function dayOf(account: Pick<Account, 'channel' | 'templateId'>, date: number, at: number): Day {
  return { date, need: needOf(account, at), templateId: account.templateId }
}

interface DueOf {
  appId: string
  range: Range
  day: Day
  limit: number
  /**
   * Looks for the day's message as well: someone may have set `last_date` back by hand. A claim leaves that to the
   * message's unique key, and looks only after a refusal: inserting into a table that is read too goes through a
   * temporary one (500 users: 17.3 against 7.8 ms).
   */
  besideMessages: boolean
  /**
   * Most users of late were not due: looks at each one's youngest permit first. Those without a valid one then cost 2.8
   * instead of 4.7 us, the others 1.2 us more.
   */
  areFewDue: boolean
}

/**
 * SQL of the first due users of a range, in order, without locks: the counter `p`, the permit or open_id `sent_with`,
 * and yesterday's sign-in `y`. A claim passes a range of boundRange. Sign-ins are LEFT JOINs, not NOT EXISTS: MariaDB
 * would materialise the whole table at each claim. Plan on MySQL: p range PRIMARY, s and y eq_ref PRIMARY, u ref
 * wx_user_user_idx, m eq_ref wx_push_message_reminder_uq, f ref wx_save_form_id_oldest_idx, w ref wx_user_user_idx.
 * Without the hints on s and y, MariaDB joins few sign-ins by wx_sign_in_day_idx through a buffer, which loses the
 * order of users: each claim then reads its whole range and sorts it. Without the hint on u, it joins users by the
 * account alone while wx_user is small.
 */
function dueUsers(
  db: Knex,
  columns: Condition,
  { appId, range, day, limit, besideMessages, areFewDue }: DueOf,
): Condition {
  const signIn = (alias: string): string =>
    `LEFT JOIN wx_sign_in ${alias}${mysqlHint(db, 'FORCE INDEX (PRIMARY)')}
       ON ${alias}.app_id = p.app_id AND ${alias}.user_id = p.user_id AND ${alias}.day = ?`
  const { from, bindings } = isSqlite(db) ? joinedWith(db, day.need) : lookedUp(db, day.need)
  const late =
    areFewDue && day.need.kind === 'permit' ? hasLatePermit(db, day.need.runsOutAfter, SIGNED_OUT) : TRUE
  return {
    sql: `SELECT ${columns.sql}, ${from} ${signIn('s')} ${signIn('y')}
     LEFT JOIN wx_user u${mysqlHint(db, 'IGNORE INDEX (PRIMARY)')}
       ON u.app_id = p.app_id AND u.user_id = p.user_id AND ${isStopped('u', '?')}
     ${besideMessages ? 'LEFT JOIN wx_push_message m ON m.app_id = p.app_id AND m.business_date = ? AND m.user_id = p.user_id' : ''}
     WHERE p.app_id = ? AND p.user_id > ? AND p.user_id <= ? AND ${mayBeDue(day.need)} AND p.last_date < ?
       AND s.user_id IS NULL AND ${late.sql} AND u.app_id IS NULL${besideMessages ? ' AND m.id IS NULL' : ''}
     ${isSqlite(db) ? '' : 'HAVING sent_with IS NOT NULL'} ORDER BY p.user_id LIMIT ?`,
    bindings: [
      ...columns.bindings,
      ...bindings,
      day.date,
      addDays(day.date, -1),
      day.templateId,
      ...(besideMessages ? [day.date] : []),
      appId,
      range.cur,
      range.hi,
      day.date,
      ...late.bindings,
      limit,
    ],
  }
}

const TRUE: Condition = { sql: '1 = 1', bindings: [] }
/** Keeps MariaDB from looking up the permits of those who have signed in. */
const SIGNED_OUT = 's.user_id IS NULL'

/**
 * MariaDB moves HAVING to the first table that has all it needs. The sign-in stands in the look-up as well, so that it
 * does not look up the permits of those who have signed in.
 */
function lookedUp(db: Knex, need: Need): { from: string; bindings: Condition['bindings'] } {
  const { sql, bindings } = sentWith(db, need, SIGNED_OUT)
  return { from: `${sql} AS sent_with FROM wx_message_push_status p`, bindings }
}

/** SQLite has no HAVING without groups, and would look for the permit twice. */
function joinedWith(db: Knex, need: Need): { from: string; bindings: Condition['bindings'] } {
  const { sql, bindings } = sentWith(db, need)
  const from =
    need.kind === 'permit'
      ? `o.id AS sent_with FROM wx_message_push_status p JOIN wx_save_form_id o ON o.id = ${sql}`
      : `o.open_id AS sent_with FROM wx_message_push_status p JOIN wx_user o ON o.app_id = p.app_id AND o.open_id = ${sql}`
  return { from, bindings }
}

export interface DueUser {
  user_id: UserId
  /** The permit that the reminder would spend; null if it needs none. */
  permit_id: number | null
  streak: number
}

/** The first due users of a range, without locks, each with the permit that the reminder would spend. */
export async function findDue(
  db: Knex,
  appId: string,
  range: Range,
  day: Day,
  limit: number,
): Promise<DueUser[]> {
  const columns = { sql: 'p.user_id, COALESCE(y.streak, 0) AS streak', bindings: [] }
  const { sql, bindings } = dueUsers(db, columns, {
    appId,
    range,
    day,
    limit,
    besideMessages: true,
    areFewDue: false,
  })
  const rows = await selectRows<{ user_id: UserId; streak: number; sent_with: number | string }>(
    db,
    sql,
    bindings,
  )
  return rows.map(({ user_id, streak, sent_with }) => ({
    user_id,
    permit_id: typeof sent_with === 'number' ? sent_with : null,
    streak,
  }))
}

/** What the messages of a claim are written with. */
export interface NewReminders {
  day: Day
  claimId: number
  runId: number
  cardId: number
  state: 'queued' | 'sending'
  now: number
  besideMessages: boolean
  areFewDue: boolean
}

/**
 * Writes a message for each of the first due users of a range, in one statement on the server. Nothing is locked and
 * no permit is spent yet. Returns how many. Throws a duplicate error if one of them has a message of that day and
 * `besideMessages` is false.
 */
export async function insertDue(
  trx: Knex.Transaction,
  appId: string,
  range: Range,
  limit: number,
  { day, claimId, runId, cardId, state, now, besideMessages, areFewDue }: NewReminders,
): Promise<number> {
  const columns = {
    sql: 'p.app_id, p.user_id, ?, ?, ?, ?, COALESCE(y.streak, 0), ?, p.last_date, ?, ?',
    bindings: [day.date, runId, claimId, cardId, state, now, now],
  }
  const due = dueUsers(trx, columns, { appId, range, day, limit, besideMessages, areFewDue })
  const { affectedRows } = await execute(
    trx,
    `INSERT INTO wx_push_message (app_id, user_id, business_date, run_id, claim_id, card_id, streak, state,
       last_date_before, created_at, updated_at, ${day.need.kind === 'permit' ? 'permit_id' : 'open_id'}) ${due.sql}`,
    due.bindings,
  )
  return affectedRows
}

/** The user of a claim's last message: it is written in the order of users. */
export async function findLastOfClaim(trx: Knex.Transaction, claimId: number): Promise<UserId | undefined> {
  const [row] = await selectRows<{ user_id: UserId }>(
    trx,
    `SELECT user_id FROM wx_push_message WHERE claim_id = ? AND state IN ('queued', 'sending') ORDER BY id DESC LIMIT 1`,
    [claimId],
  )
  return row?.user_id
}

/** The messages of a claim, in the order of users. */
export function findOfClaim(
  trx: Knex.Transaction,
  claimId: number,
): Promise<{ id: number; user_id: UserId }[]> {
  return selectRows(
    trx,
    `SELECT id, user_id FROM wx_push_message WHERE claim_id = ? AND state IN ('queued', 'sending') ORDER BY user_id`,
    [claimId],
  )
}

/** Deletes messages that the same transaction has written and that could not be claimed. */
export async function deleteUnclaimed(trx: Knex.Transaction, ids: number[]): Promise<void> {
  if (ids.length === 0) return
  await execute(trx, `DELETE FROM wx_push_message WHERE id IN (${placeholders(ids.length)})`, ids)
}

/** Makes messages of a claim wait as `queued` until their request leaves. */
export async function setQueued(trx: Knex.Transaction, ids: number[]): Promise<void> {
  if (ids.length === 0) return
  await execute(
    trx,
    `UPDATE wx_push_message SET state = 'queued' WHERE id IN (${placeholders(ids.length)})`,
    ids,
  )
}
