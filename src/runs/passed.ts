import type { Knex } from 'knex'
import { selectRows } from '../db/sql.js'
import { MAX_USER_ID, type UserId } from '../lib/user-id.js'
import type { Range } from './ranges.js'
import type { Passed, SkippedFor } from './totals.js'

const CAUSES: SkippedFor[] = ['signed_in', 'no_permit', 'no_valid_permit', 'opted_out', 'blocked']

export function nobodyPassed(): Passed {
  return { signed_in: 0, no_permit: 0, no_valid_permit: 0, opted_out: 0, blocked: 0 }
}

interface RangeRow extends Passed, Range {
  counted_to: UserId | null
}

/**
 * Whom a run has passed over, and the users of whom nothing is counted: those that it has not read, and whole ranges
 * whose counts do not hold, because some of their users were read again or given back, or somebody has moved a cursor
 * by hand.
 */
export async function findPassed(db: Knex, runId: number): Promise<{ passed: Passed; uncounted: Range[] }> {
  const ranges = await selectRows<RangeRow>(
    db,
    `SELECT range_no, cur, hi, counted_to, ${CAUSES.join(', ')} FROM wx_job_cursor WHERE run_id = ? ORDER BY range_no`,
    [runId],
  )
  const passed = nobodyPassed()
  const uncounted: Range[] = []
  let from: UserId = Number.MIN_SAFE_INTEGER
  for (const { range_no, cur, hi, counted_to, ...counts } of ranges) {
    const holds = counted_to === cur
    if (holds) for (const cause of CAUSES) passed[cause] += counts[cause]
    const rest = { range_no, cur: holds ? cur : from, hi }
    if (rest.cur < hi) uncounted.push(rest)
    from = hi
  }
  // Somebody has deleted ranges: their users are counted all the same.
  if (from < MAX_USER_ID) uncounted.push({ range_no: ranges.length, cur: from, hi: MAX_USER_ID })
  return { passed, uncounted }
}
