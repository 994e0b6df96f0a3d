import type { Knex } from 'knex'
import { byId, type PermitSource } from '../books/index.js'
import { execute, selectRows } from '../db/sql.js'

/** New permits, read once each by their ids, so that an upload writes nothing for the summaries. */

/** A quarter of an hour: every day of every zone begins at one. */
export const QUARTER_MS = 900_000

/** Rows that one statement reads (some 10 ms). */
const CHUNK = 2_000
/** How far back the first look goes for a row that is old enough. */
const LOOK_BACK = 5_000

/** The largest id there is, of any account. */
export async function findLargestId(db: Knex): Promise<number> {
  const [row] = await selectRows<{ id: number | null }>(db, 'SELECT MAX(id) AS id FROM wx_save_form_id')
  return row?.id ?? 0
}

/** The largest id of a row that was written before a time (ms), among the newest rows; 0 if they all are younger. */
export async function findLargestBefore(db: Knex, before: number): Promise<number> {
  const [row] = await selectRows<{ id: number | null }>(
    db,
    `SELECT MAX(id) AS id FROM (
       SELECT id, created_at FROM wx_save_form_id${byId(db)} ORDER BY id DESC LIMIT ${LOOK_BACK}) AS newest
     WHERE created_at <= ?`,
    [before],
  )
  return row?.id ?? 0
}

/** The last id of the next rows after one, up to another; that one if there are fewer. */
export async function findChunkEnd(db: Knex, after: number, upTo: number): Promise<number> {
  const [row] = await selectRows<{ id: number }>(
    db,
    `SELECT id FROM wx_save_form_id${byId(db)} WHERE id > ? AND id <= ? ORDER BY id LIMIT 1 OFFSET ${CHUNK - 1}`,
    [after, upTo],
  )
  return row?.id ?? upTo
}

export interface GrantedRow {
  source: PermitSource
  /** Begin of the quarter of an hour in which they were written, ms; 0 = not known. */
  quarter: number
  permits: number
}

/** The account's permits between two ids by when they came. Of those up to `firstId`, the ones without a time are left out. */
export function countGranted(
  db: Knex,
  appId: string,
  { after, upTo, firstId }: { after: number; upTo: number; firstId: number },
): Promise<GrantedRow[]> {
  return selectRows<GrantedRow>(
    db,
    `SELECT source, CASE WHEN created_at <= 0 THEN 0 ELSE created_at - created_at % ${QUARTER_MS} END AS quarter,
       COUNT(*) AS permits
     FROM wx_save_form_id${byId(db)} WHERE id > ? AND id <= ? AND app_id = ? AND (created_at > 0 OR id > ?)
     GROUP BY source, quarter`,
    [after, upTo, appId, firstId],
  )
}

/** Moves the mark to `upTo`. */
export async function moveMark(trx: Knex.Transaction, appId: string, upTo: number): Promise<void> {
  await execute(trx, 'UPDATE wx_summary_progress SET permit_id = ? WHERE app_id = ?', [upTo, appId])
}

/** Sets how far the next count goes. A mark beyond the largest id comes back to it: someone has emptied the table. */
export async function setNext(
  trx: Knex.Transaction,
  appId: string,
  { nextId, seenAt, firstId }: { nextId: number; seenAt: number; firstId: number },
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_summary_progress SET next_id = ?, next_seen_at = ?, first_id = ?,
       permit_id = CASE WHEN permit_id > ? THEN ? ELSE permit_id END WHERE app_id = ?`,
    [nextId, seenAt, firstId, nextId, nextId, appId],
  )
}
