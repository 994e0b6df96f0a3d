import type { Knex } from 'knex'
import { execute, forUpdate, isSqlite, MAX_LIST, placeholders, selectRows } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import type { UserId } from '../lib/user-id.js'

/** The form_id of a subscription tells who reported it first, or both once they are paired: then it has the client's. */
export const PREFIX = { client: 'tap-', event: 'event-' } as const

interface Person {
  appId: string
  openId: string
  userId: UserId
}

/**
 * Locks the person's row of wx_user, creating it if need be: reports of one tap that come at once wait for each other.
 * Answers when the person refused messages, and which one, if WeChat told us so; what was recorded by hand stays as it is.
 */
export async function lockPerson(
  trx: Knex,
  { appId, openId, userId }: Person,
  now: number,
): Promise<{ refusedAt: number | null; messageId: number | null }> {
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id, open_id) DO NOTHING'
    : 'ON DUPLICATE KEY UPDATE open_id = VALUES(open_id)'
  await execute(
    trx,
    `INSERT INTO wx_user (app_id, open_id, user_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?) ${onDuplicate}`,
    [appId, openId, userId, now, now],
  )
  const [row] = await selectRows<{
    opted_out_at: number | null
    stop_errcode: number | null
    stop_message_id: number | null
  }>(
    trx,
    `SELECT opted_out_at, stop_errcode, stop_message_id FROM wx_user WHERE app_id = ? AND open_id = ?${forUpdate(trx)}`,
    [appId, openId],
  )
  return {
    refusedAt: row && row.stop_errcode !== null ? row.opted_out_at : null,
    messageId: row?.stop_message_id ?? null,
  }
}

export async function isKnown(trx: Knex, appId: string, name: string): Promise<boolean> {
  const rows = await selectRows(
    trx,
    'SELECT 1 FROM wx_save_form_id WHERE app_id = ? AND form_id = ? AND use_no = 1',
    [appId, name],
  )
  return rows.length > 0
}

/**
 * The subscription nearest in time that only the other side has reported, spent or not. Reads the person's taps of these
 * minutes by wx_save_form_id_tap_idx.
 */
export async function findUnpaired(
  trx: Knex,
  report: Person & { templateId: string; tappedAt: number; reporter: 'client' | 'event' },
  withinMs: number,
): Promise<number | undefined> {
  const { appId, userId, openId, templateId, tappedAt } = report
  // Not LIKE: of that MySQL makes a range of wx_save_form_id_permit_uq, with the taps of the whole account.
  const isFrom = (prefix: string) => `SUBSTR(form_id, 1, ${prefix.length}) = '${prefix}'`
  const unpaired =
    report.reporter === 'event' ? `${isFrom(PREFIX.client)} AND confirmed_at IS NULL` : isFrom(PREFIX.event)
  const [row] = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_save_form_id
     WHERE app_id = ? AND user_id = ? AND source = 'subscribe' AND open_id = ? AND template_id = ? AND ${unpaired}
       AND tapped_at BETWEEN ? AND ? ORDER BY ABS(tapped_at - ?), id LIMIT 1`,
    [appId, userId, openId, templateId, tappedAt - withinMs, tappedAt + withinMs, tappedAt],
  )
  return row?.id
}

export async function confirm(trx: Knex, id: number, now: number): Promise<void> {
  await execute(trx, 'UPDATE wx_save_form_id SET confirmed_at = ?, updated_at = ? WHERE id = ?', [
    now,
    now,
    id,
  ])
}

export async function rename(trx: Knex, id: number, name: string, now: number): Promise<void> {
  await execute(trx, 'UPDATE wx_save_form_id SET form_id = ?, updated_at = ? WHERE id = ?', [name, now, id])
}

export async function insertSubscription(
  trx: Knex,
  permit: Person & {
    templateId: string
    tappedAt: number
    reporter: 'client' | 'event'
    name: string
    expire: number
  },
  now: number,
): Promise<void> {
  const { appId, openId, userId, name, templateId, tappedAt, expire } = permit
  await execute(
    trx,
    `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, source, template_id, tapped_at, confirmed_at,
       expire, created_at, updated_at) VALUES (?, ?, ?, ?, 'subscribe', ?, ?, ?, ?, ?, ?)`,
    [
      appId,
      openId,
      userId,
      name,
      templateId,
      tappedAt,
      permit.reporter === 'event' ? now : null,
      expire,
      now,
      now,
    ],
  )
}

/**
 * Locks a person's unspent subscriptions of one template that were tapped until a moment, by ascending id. They are no
 * more than a user may have: one small transaction voids them. Uses wx_save_form_id_tap_idx.
 */
export async function lockUnspentSubscriptions(
  trx: Knex,
  which: Person & { templateId: string; until: number },
): Promise<number[]> {
  const { appId, userId, openId, templateId, until } = which
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_save_form_id
     WHERE app_id = ? AND user_id = ? AND source = 'subscribe' AND open_id = ? AND template_id = ? AND status = 0
       AND tapped_at <= ? ORDER BY id${forUpdate(trx)}`,
    [appId, userId, openId, templateId, until],
  )
  return rows.map(({ id }) => id)
}

/** `messageId`: the message whose refusal proved them void, so that bring-back finds them; null: it was no message. */
export async function voidPermits(
  trx: Knex,
  ids: number[],
  { errcode, messageId }: { errcode: number; messageId: number | null },
  now: number,
): Promise<void> {
  for (const chunk of chunks(ids, MAX_LIST))
    await execute(
      trx,
      `UPDATE wx_save_form_id SET status = 2, errcode = ?, message_id = ?, updated_at = ?
       WHERE id IN (${placeholders(chunk.length)})`,
      [errcode, messageId, now, ...chunk],
    )
}

/** Subscriptions that the refusal of one of these messages voided. Uses wx_save_form_id_oldest_idx. */
export async function findVoidedBy(
  db: Knex,
  messageIds: number[],
  errcode: number,
): Promise<{ id: number; user_id: UserId }[]> {
  return selectRows(
    db,
    `SELECT f.id, f.user_id FROM wx_push_message m
     JOIN wx_save_form_id f ON f.app_id = m.app_id AND f.user_id = m.user_id AND f.message_id = m.id
     WHERE m.id IN (${placeholders(messageIds.length)}) AND f.status = 2 AND f.source = 'subscribe' AND f.errcode = ?
     ORDER BY f.id`,
    [...messageIds, errcode],
  )
}

/** Locks those of the permits that are still void, by ascending id. */
export async function lockVoided(trx: Knex, ids: number[]): Promise<{ id: number; user_id: UserId }[]> {
  return selectRows(
    trx,
    `SELECT id, user_id FROM wx_save_form_id WHERE id IN (${placeholders(ids.length)}) AND status = 2
     ORDER BY id${forUpdate(trx)}`,
    ids,
  )
}

export async function unvoidPermits(trx: Knex, ids: number[], now: number): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_save_form_id SET status = 0, errcode = NULL, message_id = NULL, updated_at = ?
     WHERE id IN (${placeholders(ids.length)})`,
    [now, ...ids],
  )
}
