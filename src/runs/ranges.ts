import type { Knex } from 'knex'
import { execute, forUpdateSkipLocked, rowPlaceholders, selectRows } from '../db/sql.js'
import { MAX_USER_ID, type UserId } from '../lib/user-id.js'
import type { Passed } from './totals.js'

/**
 * How far a run has come: a few ranges of user_id, each with a cursor that moves in the same transaction as the
 * claim. Each worker locks a free range, so workers never choose the same users, no range can be lost, and nothing is
 * scanned twice at the end. (Measured against random starts, one shared cursor and owned shards: as fast, and the
 * only one with neither empty claims nor a final scan.)
 */
export interface Range {
  range_no: number
  cur: UserId
  hi: UserId
}

/** Caps the number of concurrent claims: more of them slow the uploads down. */
const RANGES = 8

/** Whether any range of the run is still to be read, whoever holds it. */
export async function hasUnreadRanges(db: Knex, runId: number): Promise<boolean> {
  const rows = await selectRows(
    db,
    'SELECT 1 FROM wx_job_cursor WHERE run_id = ? AND (cur < hi OR again IS NOT NULL) LIMIT 1',
    [runId],
  )
  return rows.length > 0
}

interface Mark {
  userId: UserId
  /** The number of users up to and including this one. */
  position: number
}

/** This many users are read one by one, in one statement, so that a small account is divided exactly. */
const FIRST_MARKS = 1_000
/** Each later mark is 1/32 of the users before it further on, so an edge is off by at most a quarter of a range. */
const STEP_SHARE = 32
/** No statement reads more index entries than this (about 40 ms). */
const MAX_STEP = 100_000

/**
 * Finds users at known positions, in order, reading only the index. (Measured on MariaDB with 1,000,000 users: 227
 * statements, 0.3 s, the longest 13 ms.)
 */
async function findMarks(trx: Knex.Transaction, appId: string): Promise<Mark[]> {
  const read = (after: UserId, limit: number, offset: number): Promise<{ user_id: UserId }[]> =>
    selectRows(
      trx,
      `SELECT user_id FROM wx_message_push_status WHERE app_id = ? AND user_id > ?
       ORDER BY user_id LIMIT ? OFFSET ?`,
      [appId, after, limit, offset],
    )
  const marks = (await read(Number.MIN_SAFE_INTEGER, FIRST_MARKS, 0)).map(
    ({ user_id }, i): Mark => ({ userId: user_id, position: i + 1 }),
  )
  let last = marks.at(-1)
  while (last && last.position >= FIRST_MARKS) {
    const step: number = Math.min(MAX_STEP, Math.floor(last.position / STEP_SHARE))
    const [next] = await read(last.userId, 1, step - 1)
    if (!next) break
    last = { userId: next.user_id, position: last.position + step }
    marks.push(last)
  }
  return marks
}

/** Finds where one range ends and the next begins: each has about as many users, however their ids are spread. */
async function findEdges(trx: Knex.Transaction, appId: string): Promise<UserId[]> {
  const marks = await findMarks(trx, appId)
  const users = marks.at(-1)?.position ?? 0
  return Array.from({ length: RANGES - 1 }, (_, i) => {
    const mark = marks.findLast(({ position }) => position <= (users * (i + 1)) / RANGES)
    return mark?.userId ?? Number.MIN_SAFE_INTEGER
  })
}

/**
 * Sets all ranges of a run back to their beginnings. The outer ranges are open-ended, for users who arrive while it
 * runs. A run that already has ranges keeps their edges, which are of the same day.
 */
export async function resetRanges(trx: Knex.Transaction, runId: number, appId: string): Promise<void> {
  const known = await selectRows<{ hi: UserId }>(
    trx,
    'SELECT hi FROM wx_job_cursor WHERE run_id = ? ORDER BY range_no',
    [runId],
  )
  const edges = known.length === RANGES ? known.slice(0, -1).map(({ hi }) => hi) : await findEdges(trx, appId)
  const starts = [Number.MIN_SAFE_INTEGER, ...edges]
  const ends = [...edges, MAX_USER_ID]
  await execute(trx, 'DELETE FROM wx_job_cursor WHERE run_id = ?', [runId])
  await execute(
    trx,
    `INSERT INTO wx_job_cursor (run_id, range_no, cur, hi, counted_to) VALUES ${rowPlaceholders(RANGES, 5)}`,
    starts.flatMap((start, i) => [runId, i, start, ends[i] ?? start, start]),
  )
}

/** Locks a range that nobody holds and that has users left to read. */
export async function lockRange(trx: Knex.Transaction, runId: number): Promise<Range | undefined> {
  const [range] = await selectRows<Range>(
    trx,
    `SELECT range_no, cur, hi FROM wx_job_cursor WHERE run_id = ? AND cur < hi
     ORDER BY range_no LIMIT 1${forUpdateSkipLocked(trx)}`,
    [runId],
  )
  return range
}

/** What a claim has read of its range. */
export interface Read {
  cursor: UserId
  /** The smallest user who was passed over because another transaction held a lock. */
  again: UserId | null
  /** The users whom it passed over; undefined if they have to be counted at the end. */
  passed: Passed | undefined
}

/**
 * Moves a range's cursor past what was read, and counts whom it passed over, unless someone has moved it by hand. MySQL
 * assigns from left to right: `counted_to` is compared before `cur` moves. LEAST would be NULL if either argument were,
 * hence the CASE.
 */
export async function moveCursor(
  trx: Knex.Transaction,
  runId: number,
  rangeNo: number,
  { cursor, again, passed }: Read,
): Promise<void> {
  const isCounted = passed !== undefined && again === null
  const { signed_in = 0, no_permit = 0, no_valid_permit = 0, opted_out = 0, blocked = 0 } = passed ?? {}
  await execute(
    trx,
    `UPDATE wx_job_cursor SET counted_to = CASE WHEN counted_to = cur THEN ? ELSE NULL END, cur = ?,
       again = CASE WHEN again IS NULL OR again > ? THEN ? ELSE again END, signed_in = signed_in + ?,
       no_permit = no_permit + ?, no_valid_permit = no_valid_permit + ?, opted_out = opted_out + ?, blocked = blocked + ?
     WHERE run_id = ? AND range_no = ?`,
    [
      isCounted ? cursor : null,
      cursor,
      again ?? MAX_USER_ID,
      again,
      signed_in,
      no_permit,
      no_valid_permit,
      opted_out,
      blocked,
      runId,
      rangeNo,
    ],
  )
}

/** Moves finished ranges back to the first user who was passed over. Returns whether there was one. */
export async function rereadPassedOver(trx: Knex.Transaction, runId: number): Promise<boolean> {
  const { affectedRows } = await execute(
    trx,
    'UPDATE wx_job_cursor SET cur = again - 1, again = NULL WHERE run_id = ? AND again IS NOT NULL AND cur >= hi',
    [runId],
  )
  return affectedRows > 0
}

/**
 * Makes the run reread users whom its cursors have passed. `userIds` must be sorted; ranges are locked in their
 * order.
 */
export async function readUsersAgain(trx: Knex.Transaction, runId: number, userIds: UserId[]): Promise<void> {
  for (const [rangeNo, again] of await rangesOf(trx, runId, userIds)) {
    await execute(
      trx,
      `UPDATE wx_job_cursor SET again = CASE WHEN again IS NULL OR again > ? THEN ? ELSE again END, counted_to = NULL
       WHERE run_id = ? AND range_no = ?`,
      [again, again, runId, rangeNo],
    )
  }
}

/**
 * Users of the run are no longer reminded, and are not read again: what was counted of their ranges does not hold.
 * `userIds` must be sorted; ranges are locked in their order.
 */
export async function countUsersAgain(
  trx: Knex.Transaction,
  runId: number,
  userIds: UserId[],
): Promise<void> {
  for (const rangeNo of (await rangesOf(trx, runId, userIds)).keys())
    await execute(trx, 'UPDATE wx_job_cursor SET counted_to = NULL WHERE run_id = ? AND range_no = ?', [
      runId,
      rangeNo,
    ])
}

/** The ranges that have these users, each with the first of them. */
async function rangesOf(
  trx: Knex.Transaction,
  runId: number,
  userIds: UserId[],
): Promise<Map<number, UserId>> {
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
  return first
}
