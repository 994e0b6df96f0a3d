import type { Knex } from 'knex'
import { execute, placeholders, selectRows } from '../db/sql.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { countDown, lockCounters } from './counters.js'
import { byId, lockPermits } from './locked-permits.js'
import type { PermitSource } from './permit.js'
import { type Condition, oldestUsablePermit } from './usable.js'

export interface NextPermit {
  id: number
  openId: string
  formId: string
  source: PermitSource
  /** Locked, unspent and still this user's. If false, it was spent or handed over since it was found: look again. */
  isFree: boolean
}

/**
 * Locks what messages need to go on with their next permit: each user's oldest usable permit, the spoiled permits,
 * and the users' counters. Returns the next permit by user; users without one are absent.
 */
export async function lockNextPermits(
  trx: Knex.Transaction,
  { appId, users, spoiled }: { appId: string; users: UserId[]; spoiled: number[] },
  usable: Condition,
): Promise<Map<UserId, NextPermit>> {
  const userIds = sortedUnique(users)
  const oldest = await findOldestPermits(trx, appId, userIds, usable)
  const permits = await lockPermits(trx, sortedUnique([...oldest.values(), ...spoiled]))
  await lockCounters(trx, appId, userIds)
  const next = new Map<UserId, NextPermit>()
  for (const [userId, id] of oldest) {
    const permit = permits.get(id)
    if (!permit) continue
    const { open_id: openId, form_id: formId, source, status, user_id } = permit
    next.set(userId, { id, openId, formId, source, isFree: status === 0 && user_id === userId })
  }
  return next
}

/** Finds each user's oldest usable permit, without locks. */
async function findOldestPermits(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
  usable: Condition,
): Promise<Map<UserId, number>> {
  const rows = await selectRows<{ user_id: UserId; permit_id: number | null }>(
    trx,
    `SELECT p.user_id, ${oldestUsablePermit(trx, usable)} AS permit_id
     FROM wx_message_push_status p WHERE p.app_id = ? AND p.user_id IN (${placeholders(userIds.length)})`,
    [...usable.bindings, appId, ...userIds],
  )
  const permits = new Map<UserId, number>()
  for (const { user_id, permit_id } of rows) if (permit_id !== null) permits.set(user_id, permit_id)
  return permits
}

/** Records on spent permits what WeChat said about them. `ids` must be sorted. */
export async function recordDead(
  trx: Knex.Transaction,
  ids: number[],
  errcode: number | null,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_save_form_id${byId(trx)} SET errcode = ?, updated_at = ? WHERE id IN (${placeholders(ids.length)})`,
    [errcode, now, ...ids],
  )
}

/** Spends a free, locked permit on a message, and counts its user down. */
export async function reserve(
  trx: Knex.Transaction,
  {
    permitId,
    messageId,
    appId,
    userId,
  }: { permitId: number; messageId: number; appId: string; userId: UserId },
  now: number,
): Promise<void> {
  await execute(trx, 'UPDATE wx_save_form_id SET status = 1, message_id = ?, updated_at = ? WHERE id = ?', [
    messageId,
    now,
    permitId,
  ])
  await countDown(trx, appId, [userId], 1, now)
}
