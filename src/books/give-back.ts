import type { Knex } from 'knex'
import { execute, placeholders } from '../db/sql.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { lockCounters } from './counters.js'
import { byId, type LockedPermit, lockPermits } from './locked-permits.js'
import { recordDead } from './reserve.js'

/** Locks permits that may be given back, and then their users' counters. Returns the permits by id. */
export async function lockSpent(
  trx: Knex.Transaction,
  { appId, users, permitIds }: { appId: string; users: UserId[]; permitIds: (number | null)[] },
): Promise<Map<number, LockedPermit>> {
  const ids = permitIds.filter((id) => id !== null)
  const permits = ids.length > 0 ? await lockPermits(trx, sortedUnique(ids)) : new Map<number, LockedPermit>()
  await lockCounters(trx, appId, sortedUnique(users))
  return permits
}

/** What a message that never went out gives back. */
export interface GivenBack {
  userId: UserId
  /** null if the message needed none: then there is only `last_date` to restore. */
  permitId: number | null
  /** The day of a reminder; null for any other message. */
  businessDate: number | null
  /** The user's `last_date` before the message was claimed. */
  lastDateBefore: number
}

/**
 * Gives back the locked permits of messages that were certainly not delivered: unspent again, counter up, `last_date`
 * restored. A permit that has run out meanwhile becomes expired instead and keeps its message for the record. A
 * permit that is no longer spent is left as it is.
 */
export async function giveBack(
  trx: Knex.Transaction,
  appId: string,
  messages: GivenBack[],
  locked: Map<number, LockedPermit>,
  now: number,
): Promise<void> {
  const spent = permitsOf(messages)
    .flatMap((id) => locked.get(id) ?? [])
    .filter((p) => p.status === 1)
  await returnPermits(trx, sortedUnique(spent.map(({ id }) => id)), now)
  const unspent = new Set(spent.filter(({ expire }) => expire > now).map(({ id }) => id))
  await returnAll(trx, appId, messages, unspent, now)
}

/**
 * Restores `last_date` for reminders that are withdrawn after they failed, so that the day's run can remind their users
 * again. Their permits stay spent, with WeChat's code on record. Permits and counters are locked by lockSpent.
 */
export async function withdraw(
  trx: Knex.Transaction,
  appId: string,
  messages: (GivenBack & { errcode: number })[],
  locked: Map<number, LockedPermit>,
  now: number,
): Promise<void> {
  for (const [errcode, group] of groupBy(messages, (message) => message.errcode)) {
    const spent = permitsOf(group).filter((id) => locked.get(id)?.status === 1)
    if (spent.length > 0) await recordDead(trx, sortedUnique(spent), errcode, now)
  }
  await returnAll(trx, appId, messages, new Set(), now)
}

const permitsOf = (messages: GivenBack[]): number[] =>
  messages.map(({ permitId }) => permitId).filter((id) => id !== null)

async function returnAll(
  trx: Knex.Transaction,
  appId: string,
  messages: GivenBack[],
  unspent: Set<number>,
  now: number,
): Promise<void> {
  const returns = [...groupBy(messages, ({ userId }) => userId)].map(([userId, ofUser]) =>
    returnOf(userId, ofUser, unspent),
  )
  const alike = groupBy(returns, (r) => [r.permits, r.businessDate, r.lastDateBefore].join(' '))
  for (const group of alike.values()) {
    const [first] = group
    if (first) await returnToCounters(trx, appId, sortedUnique(group.map(({ userId }) => userId)), first, now)
  }
}

async function returnPermits(trx: Knex.Transaction, ids: number[], now: number): Promise<void> {
  if (ids.length === 0) return
  await execute(
    trx,
    `UPDATE wx_save_form_id${byId(trx)} SET message_id = CASE WHEN expire > ? THEN 0 ELSE message_id END,
       status = CASE WHEN expire > ? THEN 0 ELSE 2 END, updated_at = ?
     WHERE id IN (${placeholders(ids.length)})`,
    [now, now, now, ...ids],
  )
}

interface CounterReturn {
  userId: UserId
  /** Permits that are unspent again. */
  permits: number
  /** The day of the reminder that was given back. `last_date` is restored only where it is still this day. */
  businessDate: number | null
  lastDateBefore: number
}

/**
 * Makes one change per user, even if several of their messages are given back at once. Reminders of several days (one
 * waited past midnight) take `last_date` back step by step, starting with the newest.
 */
function returnOf(userId: UserId, messages: GivenBack[], unspent: Set<number>): CounterReturn {
  const [newest, ...older] = messages
    .filter(({ businessDate }) => businessDate !== null)
    .sort((a, b) => Number(b.businessDate) - Number(a.businessDate))
  let lastDateBefore = newest?.lastDateBefore ?? 0
  for (const message of older) {
    if (message.businessDate === lastDateBefore) lastDateBefore = message.lastDateBefore
  }
  return {
    userId,
    permits: permitsOf(messages).filter((id) => unspent.has(id)).length,
    businessDate: newest?.businessDate ?? null,
    lastDateBefore,
  }
}

async function returnToCounters(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
  { permits, businessDate, lastDateBefore }: CounterReturn,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_message_push_status
     SET count = count + ?, last_date = CASE WHEN last_date = ? THEN ? ELSE last_date END, updated_at = ?
     WHERE app_id = ? AND user_id IN (${placeholders(userIds.length)})`,
    [permits, businessDate ?? -1, lastDateBefore, now, appId, ...userIds],
  )
}
