import type { Knex } from 'knex'
import { execute, forUpdate, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import { endWaits } from '../messages/retry-store.js'
import { endSubmitted } from '../messages/submitted-store.js'

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

export interface OpenMessage {
  id: number
  run_id: number | null
  state: 'queued' | 'sending' | 'retry'
  errcode: number | null
  template_id: string
}

/** Locks messages that were not settled when the dump was taken, found by their claims and retries. */
export async function lockOpen(trx: Knex.Transaction, appId: string, limit: number): Promise<OpenMessage[]> {
  const open: OpenMessage[] = []
  for (const from of [
    "wx_claim h JOIN wx_push_message m ON m.claim_id = h.id AND m.state IN ('queued', 'sending')",
    "wx_message_retry h JOIN wx_push_message m ON m.id = h.message_id AND m.state IN ('queued', 'retry')",
  ]) {
    const rows = await selectRows<OpenMessage>(
      trx,
      `SELECT m.id, m.run_id, m.state, m.errcode, k.template_id FROM ${from} JOIN wx_card k ON k.id = m.card_id
       WHERE h.app_id = ? LIMIT ?${forUpdate(trx)}`,
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
    `UPDATE wx_push_message SET state = 'unknown', maybe_sent = 1, errmsg = ?, settled_at = ?, updated_at = ?
     WHERE id IN (${placeholders(ids.length)})`,
    [errmsg, now, now, ...ids],
  )
  await endWaits(trx, ids)
  await endSubmitted(
    trx,
    ids.map((id) => ({ id, state: 'unknown' })),
    now,
  )
}
