import type { Knex } from 'knex'
import type { PermitSource } from '../books/index.js'
import { NEVER_EXPIRES } from '../books/index.js'
import { execute, isSqlite, mysqlHint, rowPlaceholders, selectRows } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { DAY_MS } from '../lib/durations.js'
import type { Range } from '../runs/ranges.js'

export interface StockRow {
  source: PermitSource
  /** Of subscriptions, else ''. */
  template_id: string
  days_left: number
  permits: number
  users: number
}

/** `days_left` of permits that run out after so many days, or later. */
const MOST_DAYS_LEFT = 30
/** `days_left` of permits that never run out. */
export const NEVER = -1

/**
 * The unspent permits of a page's users that have not run out, those of stopped users included. Passes over the old ones
 * in wx_save_form_id_oldest_idx.
 */
export function countStock(db: Knex, appId: string, page: Range, now: number): Promise<StockRow[]> {
  // SQLite's driver binds every number as a real one.
  const wholeDays = isSqlite(db)
    ? `CAST((f.expire - ?) / ${DAY_MS} AS INTEGER)`
    : `(f.expire - ?) DIV ${DAY_MS}`
  return selectRows<StockRow>(
    db,
    `SELECT source, template_id, days_left, SUM(permits) AS permits, COUNT(*) AS users FROM (
       SELECT f.user_id, f.source, COALESCE(f.template_id, '') AS template_id,
         CASE WHEN f.expire >= ? THEN ${NEVER} WHEN f.expire >= ? THEN ${MOST_DAYS_LEFT} ELSE ${wholeDays} END AS days_left,
         COUNT(*) AS permits
       FROM wx_save_form_id f${mysqlHint(db, 'FORCE INDEX (wx_save_form_id_oldest_idx)')}
       WHERE f.app_id = ? AND f.user_id > ? AND f.user_id <= ? AND f.expire > ? AND f.status = 0
       GROUP BY f.user_id, f.source, template_id, days_left) AS of_users
     GROUP BY source, template_id, days_left`,
    [NEVER_EXPIRES, now + MOST_DAYS_LEFT * DAY_MS, now, appId, page.cur, page.hi, now],
  )
}

/** Writes the stock of an account in place of the earlier one. */
export async function replaceStock(
  trx: Knex.Transaction,
  { appId, asOf }: { appId: string; asOf: number },
  rows: StockRow[],
): Promise<void> {
  await execute(trx, 'DELETE FROM wx_permit_stock WHERE app_id = ?', [appId])
  for (const chunk of chunks(rows, 100))
    await execute(
      trx,
      `INSERT INTO wx_permit_stock (app_id, source, template_id, days_left, permits, users, as_of)
       VALUES ${rowPlaceholders(chunk.length, 7)}`,
      chunk.flatMap((row) => [
        appId,
        row.source,
        row.template_id,
        row.days_left,
        row.permits,
        row.users,
        asOf,
      ]),
    )
}

/** The kept stock, by the primary key. */
export function findKeptStock(db: Knex, appId: string): Promise<(StockRow & { as_of: number })[]> {
  return selectRows(
    db,
    `SELECT source, template_id, days_left, permits, users, as_of FROM wx_permit_stock WHERE app_id = ?
     ORDER BY source, template_id, days_left`,
    [appId],
  )
}
