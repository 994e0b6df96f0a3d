import type { Knex } from 'knex'
import {
  byPrimaryKey,
  databaseNow,
  execute,
  forUpdateSkipLocked,
  inThisOrder,
  mysqlHint,
  placeholders,
  selectRows,
} from '../db/sql.js'
import type { Statement } from '../db/together.js'
import { withoutContention } from '../db/transaction.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import type { HeldMessage, Lease, MessageKind } from './message.js'
import type { QuotaUse } from './quota-store.js'
import { addWaits, findSubmitters, type Wait } from './retry-store.js'

/** Statements on claims: who holds which messages, until when, and who takes them over. */

/** Adds a claim with a fresh lease, for messages of the same transaction, which are counted in `quota`. */
export async function openClaim(
  trx: Knex.Transaction,
  appId: string,
  leaseMs: number,
  now: number,
  kind: MessageKind = 'reminder',
  quota?: QuotaUse,
): Promise<Lease> {
  const deadline = performance.now() + leaseMs
  const { insertId } = await execute(
    trx,
    `INSERT INTO wx_claim (app_id, kind, lease_until, quota_path, quota_since, created_at)
     VALUES (?, ?, ${databaseNow(trx)} + ?, ?, ?, ?)`,
    [appId, kind, leaseMs, quota?.path ?? '', quota?.since ?? '', now],
  )
  return { claimId: insertId, deadline, ...(quota ? { quota } : {}) }
}

/** Extends leases to their full length from now. Returns the claims that are still there. */
export async function renewClaims(db: Knex, claimIds: number[], leaseMs: number): Promise<number[]> {
  const list = placeholders(claimIds.length)
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_claim SET lease_until = ${databaseNow(db)} + ? WHERE id IN (${list})`,
    [leaseMs, ...claimIds],
  )
  if (affectedRows === claimIds.length) return claimIds
  const rows = await selectRows<{ id: number }>(db, `SELECT id FROM wx_claim WHERE id IN (${list})`, claimIds)
  return rows.map(({ id }) => id)
}

/** Deletes claims of which no message is in anybody's hands any more. */
export async function closeClaims(db: Knex, claimIds: number[]): Promise<void> {
  if (claimIds.length === 0) return
  const { sql, bindings } = closingClaims(claimIds)
  await execute(db, sql, bindings)
}

/** The statement of closeClaims. */
export function closingClaims(claimIds: number[]): Statement {
  return { sql: `DELETE FROM wx_claim WHERE id IN (${placeholders(claimIds.length)})`, bindings: claimIds }
}

/**
 * Records that the requests of these messages may leave from now on. Returns for each whether its claimer still holds
 * it: a message that was taken over is not marked, and must not be sent.
 */
export async function markSending(db: Knex, messages: HeldMessage[]): Promise<boolean[]> {
  const marked = new Set<number>()
  for (const [claimId, group] of groupBy(messages, ({ lease }) => lease.claimId)) {
    const ids = sortedUnique(group.map(({ id }) => id))
    for (const id of await withoutContention(() => markSendingOf(db, claimId, ids))) marked.add(id)
  }
  return messages.map(({ id }) => marked.has(id))
}

async function markSendingOf(db: Knex, claimId: number, ids: number[]): Promise<number[]> {
  const mine = `id IN (${placeholders(ids.length)}) AND claim_id = ?`
  const { affectedRows } = await execute(
    db,
    `UPDATE wx_push_message${byPrimaryKey(db)} SET state = 'sending' WHERE ${mine} AND state = 'queued'`,
    [...ids, claimId],
  )
  if (affectedRows === ids.length) return ids
  const rows = await selectRows<{ id: number }>(
    db,
    `SELECT id FROM wx_push_message${byPrimaryKey(db)} WHERE ${mine} AND state = 'sending'`,
    [...ids, claimId],
  )
  return rows.map(({ id }) => id)
}

export interface LapsedClaim {
  id: number
  /** Where its messages are counted as calls of the day's quota. */
  quota: QuotaUse | undefined
}

/** Locks claims whose holder let the lease lapse. Uses wx_claim_lease_idx. */
export async function lockLapsedClaims(
  trx: Knex.Transaction,
  appId: string,
  kind: MessageKind,
  limit: number,
): Promise<LapsedClaim[]> {
  const rows = await selectRows<{ id: number; quota_path: string; quota_since: string }>(
    trx,
    `SELECT id, quota_path, quota_since FROM wx_claim WHERE app_id = ? AND kind = ? AND lease_until < ${databaseNow(trx)}
     ORDER BY lease_until LIMIT ?${forUpdateSkipLocked(trx)}`,
    [appId, kind, limit],
  )
  return rows.map(({ id, quota_path: path, quota_since: since }) => ({
    id,
    quota: path === '' ? undefined : { appId, path, since },
  }))
}

/** Locks messages of a claim that are still in its holder's hands. Uses wx_push_message_claim_idx. */
export async function lockOfClaim(
  trx: Knex.Transaction,
  claimId: number,
  limit: number,
): Promise<{ id: number; state: 'queued' | 'sending' }[]> {
  return selectRows(
    trx,
    `SELECT id, state FROM wx_push_message${mysqlHint(trx, 'FORCE INDEX (wx_push_message_claim_idx)')}
     WHERE claim_id = ? AND state IN ('queued', 'sending') ORDER BY id LIMIT ?${forUpdateSkipLocked(trx)}`,
    [claimId, limit],
  )
}

/** Whether any message of a claim is in its holder's hands, locked or not. */
export async function hasOpenMessages(db: Knex, claimId: number): Promise<boolean> {
  const rows = await selectRows(
    db,
    `SELECT 1 FROM wx_push_message${mysqlHint(db, 'FORCE INDEX (wx_push_message_claim_idx)')}
     WHERE claim_id = ? AND state IN ('queued', 'sending') LIMIT 1`,
    [claimId],
  )
  return rows.length > 0
}

/** Gives stranded messages a claim whose lease is over, or a retry that is due: the next takeover finds them. */
export async function takeUp(
  trx: Knex.Transaction,
  appId: string,
  { inHand, waiting, kind }: { inHand: number[]; waiting: number[]; kind: MessageKind },
  now: number,
): Promise<void> {
  const submitters = await findSubmitters(trx, waiting)
  const waits = waiting.map(
    (id): Wait => ({ id, kind, submittedBy: submitters.get(id) ?? '', nextAttemptAt: now }),
  )
  await addWaits(trx, appId, waits)
  if (inHand.length === 0) return
  const { claimId } = await openClaim(trx, appId, 0, now, kind)
  await execute(
    trx,
    `UPDATE wx_push_message SET claim_id = ?
     WHERE id IN (${placeholders(inHand.length)}) AND state IN ('queued', 'sending')`,
    [claimId, ...inHand],
  )
}

/**
 * Makes locked messages ours: a new claim, and `queued`, since no request of ours has left. A message
 * that lapsed while `sending` was attempted, and may have reached WeChat. `state` comes last because MySQL sets
 * columns from left to right (SQLite sets them all at once). A message that has been settled by hand stays so.
 */
export async function makeOurs(
  trx: Knex.Transaction,
  ids: number[],
  { claimId }: Lease,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET claim_id = ?,
       attempts = CASE WHEN state = 'sending' THEN attempts + 1 ELSE attempts END,
       maybe_sent = CASE WHEN state = 'sending' THEN 1 ELSE maybe_sent END,
       updated_at = ?, state = 'queued'
     WHERE id IN (${placeholders(ids.length)}) AND state IN ('queued', 'sending', 'retry')`,
    [claimId, now, ...ids],
  )
}

/**
 * Finds what keeps the account's reminders from being finished: messages held by a process, and the next retry's
 * time.
 */
export async function findUnfinished(
  db: Knex,
  appId: string,
): Promise<{ sending: boolean; nextRetryAt: number | undefined }> {
  const held = await selectRows(
    db,
    `SELECT 1 FROM wx_claim c ${inThisOrder(db)} wx_push_message m ON m.claim_id = c.id
     WHERE c.app_id = ? AND c.kind = 'reminder' AND m.state IN ('queued', 'sending') LIMIT 1`,
    [appId],
  )
  const [retry] = await selectRows<{ next_attempt_at: number }>(
    db,
    `SELECT next_attempt_at FROM wx_message_retry WHERE app_id = ? AND kind = 'reminder'
     ORDER BY next_attempt_at LIMIT 1`,
    [appId],
  )
  return { sending: held.length > 0, nextRetryAt: retry?.next_attempt_at }
}
