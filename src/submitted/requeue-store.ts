import type { Knex } from 'knex'
import {
  byPrimaryKey,
  execute,
  forUpdate,
  inThisOrder,
  mysqlHint,
  placeholders,
  selectRows,
} from '../db/sql.js'

/**
 * Locks those of these messages that are dead letters still, by ascending id: first the row of the message, which settling
 * locks first as well. Permits and counters are locked already.
 */
export async function lockDead(trx: Knex.Transaction, appId: string, ids: number[]): Promise<Set<number>> {
  const rows = await selectRows<{ id: number }>(
    trx,
    `SELECT m.id FROM wx_push_message m${byPrimaryKey(trx)}
     ${inThisOrder(trx)} wx_submitted_message s${byPrimaryKey(trx)} ON s.message_id = m.id
     WHERE m.id IN (${placeholders(ids.length)}) AND m.kind = 'api' AND m.state = 'cancelled'
       AND s.app_id = ? AND s.state = 'dead' ORDER BY m.id${forUpdate(trx)}`,
    [...ids, appId],
  )
  return new Set(rows.map(({ id }) => id))
}

export interface Reopened {
  id: number
  permitId: number | null
  openId: string | null
  notAfter: number
}

/**
 * Makes locked dead letters, at most some hundred, queued messages with other permits, as if they had just been submitted;
 * what they have tried so far stays on record.
 */
export async function reopen(trx: Knex.Transaction, messages: Reopened[], now: number): Promise<void> {
  const ids = messages.map(({ id }) => id)
  const list = placeholders(ids.length)
  const caseOf = (key: string): string => `CASE ${key} ${'WHEN ? THEN ? '.repeat(ids.length)}END`
  await execute(
    trx,
    `UPDATE wx_push_message${byPrimaryKey(trx)} SET state = 'queued', permit_id = ${caseOf('id')},
       open_id = ${caseOf('id')}, attempts = 0, maybe_sent = 0, errcode = NULL, errmsg = NULL, rid = NULL, msgid = NULL,
       settled_at = 0, updated_at = ?
     WHERE id IN (${list})`,
    [
      ...messages.flatMap(({ id, permitId }) => [id, permitId]),
      ...messages.flatMap(({ id, openId }) => [id, openId]),
      now,
      ...ids,
    ],
  )
  await execute(
    trx,
    `UPDATE wx_submitted_message${byPrimaryKey(trx)} SET state = 'open', requeues = requeues + 1, claimed_at = 0,
       spared = 0, not_after = ${caseOf('message_id')}, updated_at = ?
     WHERE message_id IN (${list})`,
    [...messages.flatMap(({ id, notAfter }) => [id, notAfter]), now, ...ids],
  )
}

/**
 * The next dead letters after one, with their template and the code of their last answer. Uses
 * wx_submitted_message_state_idx.
 */
export function findDead(
  db: Knex,
  appId: string,
  after: number,
  limit: number,
): Promise<{ id: number; template_id: string; errcode: number | null }[]> {
  return selectRows(
    db,
    `SELECT s.message_id AS id, s.template_id, m.errcode
     FROM wx_submitted_message s${mysqlHint(db, 'FORCE INDEX (wx_submitted_message_state_idx)')}
     JOIN wx_push_message m ON m.id = s.message_id
     WHERE s.app_id = ? AND s.state = 'dead' AND s.message_id > ? ORDER BY s.message_id LIMIT ?`,
    [appId, after, limit],
  )
}
