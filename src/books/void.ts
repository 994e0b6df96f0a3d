import type { Knex } from 'knex'
import { execute, MAX_LIST, placeholders, selectRows } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { countByUser, countDown, countUp, lockCounters } from './counters.js'
import { byId, lockWithStatus } from './locked-permits.js'

/**
 * Voids a person's unspent subscriptions to one template that were tapped no later than `until`: status 2 with the
 * code of the refusal, counter down. `messageId` is the message whose refusal proved them void, so that bring-back
 * finds them; it is null if no message was involved. The number of unspent subscriptions per user is limited, so this
 * is one small transaction. Returns how many were voided. Uses wx_save_form_id_tap_idx.
 */
export async function voidSubscriptions(
  trx: Knex.Transaction,
  which: { appId: string; openId: string; userId: UserId; templateId: string; until: number },
  refusal: { errcode: number; messageId: number | null },
  now: number,
): Promise<number> {
  const { appId, userId, openId, templateId, until } = which
  const tapped = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_save_form_id
     WHERE app_id = ? AND user_id = ? AND source = 'subscribe' AND open_id = ? AND template_id = ? AND tapped_at <= ?`,
    [appId, userId, openId, templateId, until],
  )
  const rows: { id: number }[] = []
  for (const ids of chunks(sortedUnique(tapped.map(({ id }) => id)), MAX_LIST))
    rows.push(...(await lockWithStatus(trx, ids, 0)).filter(({ user_id }) => user_id === userId))
  if (rows.length === 0) return 0
  await lockCounters(trx, appId, [userId])
  for (const chunk of chunks(rows, MAX_LIST))
    await execute(
      trx,
      `UPDATE wx_save_form_id${byId(trx)} SET status = 2, errcode = ?, message_id = ?, updated_at = ?
       WHERE id IN (${placeholders(chunk.length)})`,
      [refusal.errcode, refusal.messageId ?? 0, now, ...chunk.map(({ id }) => id)],
    )
  await countDown(trx, appId, [userId], rows.length, now)
  return rows.length
}

/**
 * Undoes a voiding: unspent again, counters up. Permits that are no longer void are left alone. Returns how many were
 * restored.
 */
export async function restoreVoided(
  trx: Knex.Transaction,
  appId: string,
  ids: number[],
  now: number,
): Promise<number> {
  const restored: { id: number; user_id: UserId }[] = []
  for (const chunk of chunks(sortedUnique(ids), MAX_LIST)) {
    const locked = await lockWithStatus(trx, chunk, 2)
    if (locked.length === 0) continue
    await execute(
      trx,
      `UPDATE wx_save_form_id${byId(trx)} SET status = 0, errcode = NULL, message_id = 0, updated_at = ?
       WHERE id IN (${placeholders(locked.length)})`,
      [now, ...locked.map(({ id }) => id)],
    )
    restored.push(...locked)
  }
  if (restored.length === 0) return 0
  const gains = countByUser(restored)
  const users = sortedUnique(gains.keys())
  await lockCounters(trx, appId, users)
  await countUp(
    trx,
    users.map((userId) => ({ appId, userId, by: gains.get(userId) ?? 0 })),
    now,
  )
  return restored.length
}
