import type { Knex } from 'knex'
import { execute, forUpdateSkipLocked, rowPlaceholders, selectRows } from '../db/sql.js'
import { MAX_USER_ID, type UserId } from '../lib/user-id.js'

/**
 * How far a run has come: a few ranges of user_id, each with a cursor that moves in the same transaction as the claim.
 * Workers lock a free range each, so they never choose the same users, no range can be lost, and nothing is scanned
 * twice at the end. (Measured against random starts, one shared cursor and owned shards: as fast, and the only one
 * with neither empty claims nor a final scan.)
 */
export interface Range {
  range_no: number
  cur: UserId
  hi: UserId
}

/** Caps the claims that run at once: more of them slow the uploads down. */
const RANGES = 8

/** Whether ranges of the run are still to be read, by whoever has them. */
export async function hasUnreadRanges(db: Knex, runId: number): Promise<boolean> {
  const rows = await selectRows(
    db,
    'SELECT 1 FROM wx_job_cursor WHERE run_id = ? AND (cur < hi OR again IS NOT NULL) LIMIT 1',
    [runId],
  )
  return rows.length > 0
}

/** Sets all ranges of a run to their beginnings. The outer ones are open, for users who come while it runs. */
export async function resetRanges(trx: Knex, runId: number, appId: string): Promise<void> {
  const [bounds] = await selectRows<{ low: UserId | null; high: UserId | null }>(
    trx,
    'SELECT MIN(user_id) AS low, MAX(user_id) AS high FROM wx_message_push_status WHERE app_id = ?',
    [appId],
  )
  const low = BigInt(bounds?.low ?? 0)
  const spread = BigInt(bounds?.high ?? 0) - low
  const edges = Array.from({ length: RANGES - 1 }, (_, i) => low + (spread * BigInt(i + 1)) / BigInt(RANGES))
  const starts = [Number.MIN_SAFE_INTEGER, ...edges]
  const ends = [...edges, MAX_USER_ID]
  await execute(trx, 'DELETE FROM wx_job_cursor WHERE run_id = ?', [runId])
  await execute(
    trx,
    `INSERT INTO wx_job_cursor (run_id, range_no, cur, hi) VALUES ${rowPlaceholders(RANGES, 4)}`,
    starts.flatMap((start, i) => [runId, i, start, ends[i] ?? start]),
  )
}

/** Locks a range that nobody holds and that has users left to read. */
export async function lockRange(trx: Knex, runId: number): Promise<Range | undefined> {
  const [range] = await selectRows<Range>(
    trx,
    `SELECT range_no, cur, hi FROM wx_job_cursor WHERE run_id = ? AND cur < hi
     ORDER BY range_no LIMIT 1${forUpdateSkipLocked(trx)}`,
    [runId],
  )
  return range
}

/**
 * Moves a range's cursor past what was read; `again` is the smallest user who was passed over because somebody held a
 * lock. LEAST would be NULL with a NULL, hence the CASE.
 */
export async function moveCursor(
  trx: Knex,
  runId: number,
  rangeNo: number,
  cursor: UserId,
  again: UserId | null,
): Promise<void> {
  await execute(
    trx,
    `UPDATE wx_job_cursor SET cur = ?, again = CASE WHEN again IS NULL OR again > ? THEN ? ELSE again END
     WHERE run_id = ? AND range_no = ?`,
    [cursor, again ?? MAX_USER_ID, again, runId, rangeNo],
  )
}

/** Takes finished ranges back to the first user who was passed over. Answers whether there was any. */
export async function rereadPassedOver(trx: Knex, runId: number): Promise<boolean> {
  const { affectedRows } = await execute(
    trx,
    'UPDATE wx_job_cursor SET cur = again - 1, again = NULL WHERE run_id = ? AND again IS NOT NULL AND cur >= hi',
    [runId],
  )
  return affectedRows > 0
}

/** Makes the run read users again that its cursors have passed. `userIds` sorted; locks ranges in their order. */
export async function readUsersAgain(trx: Knex, runId: number, userIds: UserId[]): Promise<void> {
  const ranges = await selectRows<Range>(
    trx,
    'SELECT range_no, cur, hi FROM wx_job_cursor WHERE run_id = ? ORDER BY range_no',
    [runId],
  )
  const first = new Map<number, UserId>()
  for (const userId of userIds) {
    const rangeNo = ranges.find(({ hi }) => userId <= hi)?.range_no
    if (rangeNo !== undefined && !first.has(rangeNo)) first.set(rangeNo, userId)
  }
  for (const [rangeNo, again] of first) {
    await execute(
      trx,
      `UPDATE wx_job_cursor SET again = CASE WHEN again IS NULL OR again > ? THEN ? ELSE again END
       WHERE run_id = ? AND range_no = ?`,
      [again, again, runId, rangeNo],
    )
  }
}
