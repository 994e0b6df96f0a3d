import type { Knex } from 'knex'
import type { GivenBack } from '../books/index.js'
import { execute, forUpdate, placeholders, selectRows } from '../db/sql.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import type { HeldMessage } from './message.js'
import { addWaits, type Wait } from './retry-store.js'

/**
 * Statements that lock and cancel messages, or give them their next permit. Those on claims are in lease-store.ts, on
 * retries in retry-store.ts, on verdicts in settle-store.ts; reminders are written by reminders/due-store.ts. Callers
 * pass sorted lists of at most 999, and keep the one lock order: permits by id, counters by user, messages by id.
 */

/** Finds the users of messages, by the run that claimed them. */
export async function findUsersByRun(trx: Knex.Transaction, ids: number[]): Promise<Map<number, UserId[]>> {
  if (ids.length === 0) return new Map()
  const rows = await selectRows<{ run_id: number; user_id: UserId }>(
    trx,
    `SELECT run_id, user_id FROM wx_push_message
     WHERE id IN (${placeholders(ids.length)}) AND run_id IS NOT NULL ORDER BY run_id, user_id`,
    ids,
  )
  const users = new Map<number, UserId[]>()
  for (const [runId, group] of groupBy(rows, (row) => row.run_id))
    users.set(
      runId,
      group.map((row) => row.user_id),
    )
  return users
}

/** A locked message that its holder still holds, with what it gives back if it never went out. */
export interface LockedMessage extends GivenBack {
  id: number
}

interface LockedRow {
  id: number
  claim_id: number
  user_id: UserId
  permit_id: number | null
  business_date: number | null
  last_date_before: number
}

/** Locks, by ascending id, the messages that their holder still holds. */
export async function lockHeld(trx: Knex.Transaction, held: HeldMessage[]): Promise<LockedMessage[]> {
  const claims = new Map(held.map(({ id, lease }) => [id, lease.claimId]))
  const rows = await selectRows<LockedRow>(
    trx,
    `SELECT id, claim_id, user_id, permit_id, business_date, last_date_before FROM wx_push_message
     WHERE id IN (${placeholders(held.length)}) AND state IN ('queued', 'sending') ORDER BY id${forUpdate(trx)}`,
    sortedUnique(held.map(({ id }) => id)),
  )
  return rows
    .filter((row) => row.claim_id === claims.get(row.id))
    .map((row) => ({
      id: row.id,
      userId: row.user_id,
      permitId: row.permit_id,
      businessDate: row.business_date,
      lastDateBefore: row.last_date_before,
    }))
}

/**
 * Cancels messages, and clears their business date so that they do not keep another one for that day from being
 * written.
 */
export async function cancel(
  trx: Knex.Transaction,
  ids: number[],
  why: { attempts: number; errcode: number | null; errmsg: string | null; rid: string | null },
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET state = 'cancelled', business_date = NULL, attempts = attempts + ?, errcode = ?,
       errmsg = ?, rid = ?, settled_at = ?, updated_at = ?
     WHERE id IN (${placeholders(ids.length)})`,
    [why.attempts, why.errcode, why.errmsg, why.rid, now, now, ...ids],
  )
}

/**
 * Lets a message go on with its user's next permit, and so to the open_id that gave it: WeChat accepts a form_id for
 * nobody else (41028), and a user may have several open_ids. One that was addressed to an open_id keeps it.
 */
export async function goOnWith(
  trx: Knex.Transaction,
  id: number,
  { permitId, errcode }: { permitId: number; errcode: number | null },
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET permit_id = ?, open_id = CASE WHEN kind = 'api' THEN open_id END, state = 'queued', attempts = attempts + 1, errcode = ?,
       updated_at = ? WHERE id = ?`,
    [permitId, errcode, now, id],
  )
}

/** Puts off a locked message of ours, for whichever process looks then. */
export async function putOff(trx: Knex.Transaction, appId: string, wait: Wait): Promise<void> {
  await execute(trx, "UPDATE wx_push_message SET state = 'retry' WHERE id = ?", [wait.id])
  await addWaits(trx, appId, [wait])
}
