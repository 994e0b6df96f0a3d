import type { Knex } from 'knex'
import {
  execute,
  forUpdateSkipLocked,
  inThisOrder,
  MAX_LIST,
  mysqlHint,
  placeholders,
  selectRows,
} from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { countByUser, countDown, countUp, lockCounters } from './counters.js'
import { byId, lockWithStatus, NOBODY } from './locked-permits.js'

/** Why subscriptions are void. */
interface Refusal {
  errcode: number
  /** The message whose refusal proved them void, so that bring-back finds them; null if no message was involved. */
  messageId: number | null
}

/**
 * Voids a person's unspent subscriptions to one template that were tapped no later than `until`: status 2 with the
 * code of the refusal, counter down. The number of unspent subscriptions per user is limited, so this is one small
 * transaction. Returns how many were voided. Uses wx_save_form_id_tap_idx.
 */
export async function voidSubscriptions(
  trx: Knex.Transaction,
  which: { appId: string; openId: string; userId: UserId; templateId: string; until: number },
  refusal: Refusal,
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
  await writeVoid(trx, sortedUnique(rows.map(({ id }) => id)), refusal, now)
  await countDown(trx, appId, [userId], rows.length, now)
  return rows.length
}

interface RefusedRow {
  id: number
  user_id: UserId
  app_id: string
  message_id: number
}

/**
 * Voids what these messages' refusals say that WeChat has no credit for: the unspent subscriptions of the same person
 * to the same template, up to the refusal. Call it where the refusals have just been written on the messages. Permits
 * and counters that another transaction holds are left as they are, so it waits for nobody: a stop keeps reminders
 * from them, and the next refusal or the next tap voids them. Returns how many were voided.
 * Plan: m range PRIMARY, s eq_ref, f ref wx_save_form_id_tap_idx, p eq_ref. `messageIds`: at most MAX_LIST.
 */
export async function voidRefused(
  trx: Knex.Transaction,
  messageIds: number[],
  errcode: number,
  now: number,
): Promise<number> {
  const rows = await selectRows<RefusedRow>(
    trx,
    `SELECT f.id, f.user_id, f.app_id, m.id AS message_id
     FROM wx_push_message m${mysqlHint(trx, 'FORCE INDEX (PRIMARY)')}
     ${inThisOrder(trx)} wx_save_form_id s${byId(trx)} ON s.id = m.permit_id
     ${inThisOrder(trx)} wx_save_form_id f${mysqlHint(trx, 'FORCE INDEX (wx_save_form_id_tap_idx)')}
       ON f.app_id = s.app_id AND f.open_id = s.open_id AND f.template_id = s.template_id AND f.user_id = m.user_id
     ${inThisOrder(trx)} wx_message_push_status p ON p.app_id = f.app_id AND p.user_id = f.user_id
     WHERE m.id IN (${placeholders(messageIds.length)}) AND m.errcode = ? AND m.state IN ('failed', 'unknown')
       AND f.status = 0 AND f.source = 'subscribe' AND f.open_id <> ? AND COALESCE(f.tapped_at, 0) <= ?
     ${forUpdateSkipLocked(trx)}`,
    [...sortedUnique(messageIds), errcode, NOBODY, now],
  )
  // Two refused messages of one person name the same permits.
  const voided = [...new Map(rows.map((row) => [row.id, row])).values()]
  const [first] = voided
  if (!first) return 0
  for (const [messageId, ofMessage] of groupBy(voided, ({ message_id }) => message_id))
    await writeVoid(trx, sortedUnique(ofMessage.map(({ id }) => id)), { errcode, messageId }, now)
  const losses = countByUser(voided)
  for (const [loss, users] of groupBy(losses.keys(), (userId) => losses.get(userId) ?? 0))
    await countDown(trx, first.app_id, sortedUnique(users), loss, now)
  return voided.length
}

/** `ids` must be locked, and sorted. */
async function writeVoid(
  trx: Knex.Transaction,
  ids: number[],
  { errcode, messageId }: Refusal,
  now: number,
): Promise<void> {
  for (const chunk of chunks(ids, MAX_LIST))
    await execute(
      trx,
      `UPDATE wx_save_form_id${byId(trx)} SET status = 2, errcode = ?, message_id = ?, updated_at = ?
       WHERE id IN (${placeholders(chunk.length)})`,
      [errcode, messageId ?? 0, now, ...chunk],
    )
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
