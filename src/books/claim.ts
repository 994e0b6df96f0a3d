import type { Knex } from 'knex'
import {
  execute,
  forUpdateSkipLocked,
  inThisOrder,
  isSqlite,
  mysqlHint,
  selectRows,
  type Value,
} from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import { byId } from './locked-permits.js'
import type { PermitSource } from './permit.js'
import { isValid, type Need } from './usable.js'

/** A message of a claim, and the permit that it spends. */
export interface Claimed {
  messageId: number
  userId: UserId
  openId: string
  /** null if the message needs none, as on a service account. */
  permitId: number | null
  /** '' without a permit. */
  formId: string
  source: PermitSource | null
  /** The streak that the message was written with. */
  streak: number
}

interface ClaimedRow {
  message_id: number
  user_id: UserId
  open_id: string
  permit_id: number | null
  form_id: string | null
  source: PermitSource | null
  streak: number
}

/** The messages of one claim, written in the caller's transaction, for the reminders of one day. */
export interface ClaimOfDay {
  claimId: number
  date: number
  need: Need['kind']
}

/**
 * Keeps a claim to its own messages, even if someone has emptied wx_claim by hand and its numbers begin again: those of
 * an earlier claim with the same number are settled.
 */
const IS_OPEN = "m.state IN ('queued', 'sending')"

/**
 * Locks the permits and counters that the messages of a claim are to spend, by ascending message. Leaves out a message
 * whose permit or counter another transaction holds, or has changed since the message was written: spent, run out or
 * handed over, counted down, reminded that day. It never waits for a lock, so it cannot deadlock, whatever the order.
 * Messages that need no permit have their open_id already, and lock the counter alone.
 * Plan: m ref wx_push_message_claim_idx, f and p eq_ref. Without the hints, MariaDB joins fresh tables the other way.
 */
export async function lockForClaim(
  trx: Knex.Transaction,
  { claimId, date, need }: ClaimOfDay,
  now: number,
): Promise<Claimed[]> {
  const { columns, join, condition, bindings } = need === 'permit' ? withPermit(trx, now) : WITHOUT_PERMIT
  const rows = await selectRows<ClaimedRow>(
    trx,
    `SELECT m.id AS message_id, m.user_id, ${columns}, m.streak
     FROM wx_push_message m${mysqlHint(trx, 'FORCE INDEX (wx_push_message_claim_idx)')} ${join}
     ${inThisOrder(trx)} wx_message_push_status p ON p.app_id = m.app_id AND p.user_id = m.user_id
     WHERE m.claim_id = ? AND ${IS_OPEN} AND ${condition} AND p.last_date < ?${forUpdateSkipLocked(trx)}`,
    [claimId, ...bindings, date],
  )
  return rows
    .map((row) => ({
      messageId: row.message_id,
      userId: row.user_id,
      openId: row.open_id,
      permitId: row.permit_id,
      formId: row.form_id ?? '',
      source: row.source,
      streak: row.streak,
    }))
    .sort((a, b) => a.messageId - b.messageId)
}

/** How lockForClaim reads and locks what its messages are sent with. */
interface LockedWith {
  columns: string
  join: string
  condition: string
  bindings: Value[]
}

function withPermit(trx: Knex.Transaction, now: number): LockedWith {
  const valid = isValid(now)
  return {
    columns: 'f.open_id, f.id AS permit_id, f.form_id, f.source',
    join: `${inThisOrder(trx)} wx_save_form_id f${byId(trx)} ON f.id = m.permit_id AND f.user_id = m.user_id`,
    condition: `${valid.sql} AND p.count > 0`,
    bindings: valid.bindings,
  }
}

const WITHOUT_PERMIT: LockedWith = {
  columns: 'm.open_id, NULL AS permit_id, NULL AS form_id, NULL AS source',
  join: '',
  condition: 'm.open_id IS NOT NULL',
  bindings: [],
}

/**
 * Spends what lockForClaim has locked on the messages of the claim: each permit gets status 1 and its message, each
 * counter goes down and gets the day as `last_date`. Where no permit is needed, only `last_date` moves. Throws if that
 * is not exactly `messages` of each: the claim must then be rolled back.
 */
export async function spendForClaim(
  trx: Knex.Transaction,
  { claimId, date, need }: ClaimOfDay,
  messages: number,
  now: number,
): Promise<void> {
  const spends = need === 'permit'
  const permits = spends ? await spendPermits(trx, claimId, now) : messages
  const counters = await updateOfClaim(
    trx,
    claimId,
    { table: 'wx_message_push_status', hint: '', key: 't.app_id = m.app_id AND t.user_id = m.user_id' },
    [...(spends ? ['count = count - 1'] : []), 'last_date = ?', 'updated_at = ?'],
    [date, now],
  )
  if (permits !== messages || counters !== messages)
    throw new Error(`A claim of ${messages} messages spent ${permits} permits and moved ${counters} counters`)
}

function spendPermits(trx: Knex.Transaction, claimId: number, now: number): Promise<number> {
  return updateOfClaim(
    trx,
    claimId,
    { table: 'wx_save_form_id', hint: byId(trx), key: 't.id = m.permit_id' },
    ['status = 1', 'message_id = m.id', 'updated_at = ?'],
    [now],
  )
}

/** Updates the rows `t` that belong to the messages `m` of a claim: joined on the server, without lists of keys. */
async function updateOfClaim(
  trx: Knex.Transaction,
  claimId: number,
  { table, hint, key }: { table: 'wx_save_form_id' | 'wx_message_push_status'; hint: string; key: string },
  assignments: string[],
  bindings: number[],
): Promise<number> {
  const set = (prefix: string): string => assignments.map((each) => prefix + each).join(', ')
  const sql = isSqlite(trx)
    ? `UPDATE ${table} AS t SET ${set('')} FROM wx_push_message m WHERE m.claim_id = ? AND ${IS_OPEN} AND ${key}`
    : `UPDATE wx_push_message m FORCE INDEX (wx_push_message_claim_idx) STRAIGHT_JOIN ${table} t${hint} ON ${key}
       SET ${set('t.')} WHERE m.claim_id = ? AND ${IS_OPEN}`
  const { affectedRows } = await execute(trx, sql, [...bindings, claimId])
  return affectedRows
}
