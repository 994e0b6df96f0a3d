import type { Knex } from 'knex'
import { execute, forUpdate, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'

/** The statements that close the gap after a dump was restored. None is on a hot path; each is bounded. */

/** The last of the next users who have a counter; undefined after the last one. */
export async function findWindowEnd(
  db: Knex,
  appId: string,
  after: UserId,
  users: number,
): Promise<UserId | undefined> {
  const rows = await selectRows<{ user_id: UserId }>(
    db,
    'SELECT user_id FROM wx_message_push_status WHERE app_id = ? AND user_id > ? ORDER BY user_id LIMIT ?',
    [appId, after, users],
  )
  return rows.at(-1)?.user_id
}

/** Locks messages that were not settled when the dump was taken. Uses the indexes of leases and retries. */
export async function lockOpen(
  trx: Knex.Transaction,
  appId: string,
  limit: number,
): Promise<{ id: number; run_id: number | null }[]> {
  const open: { id: number; run_id: number | null }[] = []
  for (const when of [
    "lease_until > 0 AND state IN ('queued', 'sending')",
    "next_attempt_at > 0 AND state = 'retry'",
  ]) {
    const rows = await selectRows<{ id: number; run_id: number | null }>(
      trx,
      `SELECT id, run_id FROM wx_push_message WHERE app_id = ? AND ${when} LIMIT ?${forUpdate(trx)}`,
      [appId, limit],
    )
    open.push(...rows)
  }
  return open.sort((a, b) => a.id - b.id).slice(0, limit)
}

/** Ends messages as unknown: they may have gone out after the dump. */
export async function endAsUnknown(
  trx: Knex.Transaction,
  ids: number[],
  errmsg: string,
  now: number,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_push_message SET state = 'unknown', maybe_sent = 1, fence = fence + 1, errmsg = ?, lease_until = NULL,
       next_attempt_at = NULL, settled_at = ?, updated_at = ? WHERE id IN (${placeholders(ids.length)})`,
    [errmsg, now, now, ...ids],
  )
}
