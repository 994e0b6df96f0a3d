import type { Knex } from 'knex'
import { selectRows } from '../db/sql.js'
import { MAX_USER_ID, type UserId } from '../lib/user-id.js'
import type { Range } from './ranges.js'

/**
 * The part of a range that holds its next `counters` users, due or not: what one claim may examine. Reads only the
 * index. Without this bound, a claim where millions are not due would read all of them, and MySQL was seen to read
 * the account from its first user at each claim (ref on app_id alone, with 50,000 users).
 */
export async function boundRange(db: Knex, appId: string, range: Range, counters: number): Promise<Range> {
  const [last] = await selectRows<{ user_id: UserId }>(
    db,
    `SELECT user_id FROM wx_message_push_status WHERE app_id = ? AND user_id > ? AND user_id <= ?
     ORDER BY user_id LIMIT 1 OFFSET ${counters - 1}`,
    [appId, range.cur, range.hi],
  )
  return { ...range, hi: last?.user_id ?? range.hi }
}

/** All users of the account after one, in pages of so many counters. Together the pages cover every user id. */
export function userPages(
  db: Knex,
  appId: string,
  counters: number,
  after: UserId = Number.MIN_SAFE_INTEGER,
): AsyncGenerator<Range> {
  return pagesOf(db, appId, { range_no: 0, cur: after, hi: MAX_USER_ID }, counters)
}

/** A range in pages of so many counters. */
export async function* pagesOf(
  db: Knex,
  appId: string,
  range: Range,
  counters: number,
): AsyncGenerator<Range> {
  let rest = range
  for (;;) {
    const page = await boundRange(db, appId, rest, counters)
    yield page
    if (page.hi === rest.hi) return
    rest = { ...rest, cur: page.hi }
  }
}
