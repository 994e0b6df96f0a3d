import type { Knex } from 'knex'
import { mysqlHint, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { BoundPerson } from '../users/person.js'

/**
 * The form_id of a subscription tells who reported it first, or that both did once they are paired: it is
 * then the client's.
 */
export const PREFIX = { client: 'tap-', event: 'event-' } as const

export async function isKnown(trx: Knex.Transaction, appId: string, name: string): Promise<boolean> {
  const rows = await selectRows(
    trx,
    'SELECT 1 FROM wx_save_form_id WHERE app_id = ? AND form_id = ? AND use_no = 1',
    [appId, name],
  )
  return rows.length > 0
}

/**
 * The subscription nearest in time that only the other side has reported, spent or not. Reads the person's
 * taps around that time by wx_save_form_id_tap_idx.
 */
export async function findUnpaired(
  trx: Knex.Transaction,
  report: BoundPerson & { templateId: string; tappedAt: number; reporter: 'client' | 'event' },
  withinMs: number,
): Promise<number | undefined> {
  const { appId, userId, openId, templateId, tappedAt } = report
  // Not LIKE: MySQL turns that into a range of wx_save_form_id_permit_uq, with the taps of the whole account.
  const isFrom = (prefix: string) => `SUBSTR(form_id, 1, ${prefix.length}) = '${prefix}'`
  const unpaired =
    report.reporter === 'event' ? `${isFrom(PREFIX.client)} AND confirmed_at IS NULL` : isFrom(PREFIX.event)
  const [row] = await selectRows<{ id: number }>(
    trx,
    `SELECT id FROM wx_save_form_id${byTap(trx)}
     WHERE app_id = ? AND user_id = ? AND source = 'subscribe' AND open_id = ? AND template_id = ? AND ${unpaired}
       AND tapped_at BETWEEN ? AND ? ORDER BY ABS(tapped_at - ?), id LIMIT 1`,
    [appId, userId, openId, templateId, tappedAt - withinMs, tappedAt + withinMs, tappedAt],
  )
  return row?.id
}

/** The unspent subscriptions of a user to one template. Uses wx_save_form_id_tap_idx. */
export async function countUnspent(
  trx: Knex.Transaction,
  { appId, userId, openId, templateId }: BoundPerson & { templateId: string },
): Promise<number> {
  const [row] = await selectRows<{ permits: number }>(
    trx,
    `SELECT COUNT(*) AS permits FROM wx_save_form_id${byTap(trx)}
     WHERE app_id = ? AND open_id = ? AND template_id = ? AND user_id = ? AND source = 'subscribe' AND status = 0`,
    [appId, openId, templateId, userId],
  )
  return row?.permits ?? 0
}

/**
 * Whether WeChat has refused a submitted message of this template to this person at this moment or later: that leaves
 * no stop. Reads the person's subscriptions to it by wx_save_form_id_tap_idx, and the message of each spent one.
 */
export async function hasBeenRefusedSince(
  trx: Knex.Transaction,
  { appId, openId, templateId }: BoundPerson & { templateId: string },
  since: number,
  errcode: number,
): Promise<boolean> {
  const rows = await selectRows(
    trx,
    `SELECT 1 FROM wx_save_form_id f JOIN wx_push_message m ON m.id = f.message_id
     WHERE f.app_id = ? AND f.open_id = ? AND f.template_id = ? AND f.status = 1 AND m.kind = 'api' AND m.errcode = ?
       AND m.settled_at >= ? LIMIT 1`,
    [appId, openId, templateId, errcode, since],
  )
  return rows.length > 0
}

/** Subscriptions voided by the refusal of one of these messages. Uses the key by user. */
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

/** MySQL would read all permits of the user. */
function byTap(db: Knex): string {
  return mysqlHint(db, 'FORCE INDEX (wx_save_form_id_tap_idx)')
}
