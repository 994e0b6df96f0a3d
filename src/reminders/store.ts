import type { Knex } from 'knex'
import { mayBeDue, sentWith } from '../books/index.js'
import { mysqlHint, selectRows } from '../db/sql.js'
import { findPassed } from '../runs/passed.js'
import type { Range } from '../runs/ranges.js'
import type { Unreminded } from '../runs/totals.js'
import { pagesOf, userPages } from '../runs/user-pages.js'
import { isStopped } from '../users/stopped.js'
import type { Day } from './due-store.js'

/** Where a user stands on a day. The CASE of countStandingsOf decides where several apply. */
export type Standing =
  | 'reminded'
  | 'failed'
  | 'unknown'
  | 'in_hand'
  | 'no_permit'
  | 'stopped'
  | 'signed_in'
  | 'no_valid_permit'
  | 'due'

/** How many counters one statement reads (about 20 ms). */
const PAGE = 2_000

/** All users of the account, page by page. */
export function pages(db: Knex, appId: string): AsyncGenerator<Range> {
  return userPages(db, appId, PAGE)
}

/**
 * Counts how many users stand where. Reads every counter of the account once, page by page and without locks, and for
 * each counter only what belongs to its user. While a run is at work, the pages are of different moments.
 */
export async function countStandings(db: Knex, appId: string, day: Day): Promise<Record<Standing, number>> {
  const counts: Record<Standing, number> = {
    reminded: 0,
    failed: 0,
    unknown: 0,
    in_hand: 0,
    no_permit: 0,
    no_valid_permit: 0,
    stopped: 0,
    signed_in: 0,
    due: 0,
  }
  for await (const page of pages(db, appId))
    for (const { standing, users } of await countStandingsOf(db, appId, page, day)) counts[standing] += users
  return counts
}

/**
 * Counts one page. On a service account nobody lacks a permit, and a user without an open_id is none of its followers:
 * such a row of an earlier channel is not counted. Permits and stops are subqueries that end at the first row: as a
 * derived table they would have no index on SQLite. Their keys are forced: while the statistics of freshly filled
 * tables still say that they are empty, MariaDB was seen to read the account's permits for each user (2,000 users: 1.9
 * million rows).
 */
function countStandingsOf(
  db: Knex,
  appId: string,
  { cur, hi }: Range,
  day: Day,
): Promise<{ standing: Standing; users: number }[]> {
  const { sql, bindings } = sentWith(db, day.need)
  return selectRows(
    db,
    `SELECT standing, COUNT(*) AS users FROM (
       SELECT CASE
         WHEN m.state IN ('failed', 'unknown') THEN m.state
         WHEN m.state IN ('queued', 'sending', 'retry') THEN 'in_hand'
         WHEN p.last_date >= ? OR m.id IS NOT NULL THEN 'reminded'
         WHEN NOT (${mayBeDue(day.need)}) THEN 'no_permit'
         WHEN (SELECT u.user_id FROM wx_user u${mysqlHint(db, 'FORCE INDEX (wx_user_user_idx)')}
           WHERE u.app_id = p.app_id AND u.user_id = p.user_id AND ${isStopped('u', '?')}
           LIMIT 1) IS NOT NULL THEN 'stopped'
         WHEN s.user_id IS NOT NULL THEN 'signed_in'
         WHEN ${sql} IS NULL THEN ${withNothing(day)}
         ELSE 'due' END AS standing
       FROM wx_message_push_status p
       LEFT JOIN wx_sign_in s${mysqlHint(db, 'FORCE INDEX (PRIMARY)')}
         ON s.app_id = p.app_id AND s.user_id = p.user_id AND s.day = ?
       LEFT JOIN wx_push_message m ON m.app_id = p.app_id AND m.business_date = ? AND m.user_id = p.user_id
       WHERE p.app_id = ? AND p.user_id > ? AND p.user_id <= ?) AS standings
     WHERE standing IS NOT NULL GROUP BY standing`,
    [day.date, day.templateId, ...bindings, day.date, day.date, appId, cur, hi],
  )
}

/** SQL of the standing of a user for whom there is nothing to send with. */
const withNothing = ({ need }: Day): string => (need.kind === 'permit' ? "'no_valid_permit'" : 'NULL')

/**
 * Counts the users whom a run would remind now, and those whom it has passed over or would, by the first cause that is
 * found: no permit, a stop, a sign-in, no permit that is still valid. Its claims have counted those whom they passed
 * over; the others are read here, each of those who were reminded or have no permit by the counter alone.
 */
export async function countUnreminded(db: Knex, appId: string, runId: number, day: Day): Promise<Unreminded> {
  const { passed, uncounted } = await findPassed(db, runId)
  const counts: Record<keyof Unreminded, number> = { due: 0, ...passed }
  for (const range of uncounted)
    for await (const page of pagesOf(db, appId, range, PAGE))
      for (const { standing, users } of await countUnremindedOf(db, appId, page, day))
        counts[standing] += users
  return day.need.kind === 'permit' ? counts : { ...counts, no_permit: null, no_valid_permit: null }
}

/** A user with several open_ids is stopped if one of them is: a wish counts before a block. */
function countUnremindedOf(
  db: Knex,
  appId: string,
  { cur, hi }: Range,
  day: Day,
): Promise<{ standing: keyof Unreminded; users: number }[]> {
  const { sql, bindings } = sentWith(db, day.need)
  const mayBe = mayBeDue(day.need)
  return selectRows(
    db,
    `SELECT standing, COUNT(*) AS users FROM (
       SELECT CASE (SELECT MAX(CASE WHEN u.opted_out_at IS NULL THEN 1 ELSE 2 END)
           FROM wx_user u${mysqlHint(db, 'FORCE INDEX (wx_user_user_idx)')} WHERE u.app_id = p.app_id
             AND u.user_id = p.user_id AND ${isStopped('u', '?')})
         WHEN 2 THEN 'opted_out' WHEN 1 THEN 'blocked'
         ELSE CASE WHEN s.user_id IS NOT NULL THEN 'signed_in'
           WHEN ${sql} IS NULL THEN ${withNothing(day)} ELSE 'due' END END AS standing
       FROM wx_message_push_status p
       LEFT JOIN wx_sign_in s${mysqlHint(db, 'FORCE INDEX (PRIMARY)')}
         ON s.app_id = p.app_id AND s.user_id = p.user_id AND s.day = ?
       LEFT JOIN wx_push_message m ON m.app_id = p.app_id AND m.business_date = ? AND m.user_id = p.user_id
       WHERE p.app_id = ? AND p.user_id > ? AND p.user_id <= ? AND ${mayBe} AND p.last_date < ? AND m.id IS NULL
       UNION ALL
       SELECT 'no_permit' FROM wx_message_push_status p
       WHERE p.app_id = ? AND p.user_id > ? AND p.user_id <= ? AND NOT (${mayBe}) AND p.last_date < ?) AS standings
     WHERE standing IS NOT NULL GROUP BY standing`,
    [day.templateId, ...bindings, day.date, day.date, appId, cur, hi, day.date, appId, cur, hi, day.date],
  )
}

/** Counts the users of a day's run whose reminder of that day was given back and who have had no other one since. */
export async function countGivenBack(db: Knex, runId: number, date: number): Promise<number> {
  const [row] = await selectRows<{ users: number }>(
    db,
    `SELECT COUNT(DISTINCT m.user_id) AS users FROM wx_push_message m
     LEFT JOIN wx_push_message o ON o.app_id = m.app_id AND o.user_id = m.user_id AND o.business_date = ?
     WHERE m.run_id = ? AND m.state = 'cancelled' AND o.id IS NULL`,
    [date, runId],
  )
  return row?.users ?? 0
}

/** The share (0 to 1) of the messages of the last seven finished runs that failed: the account's normal. */
export async function findNormalRefusals(db: Knex, appId: string, exceptRunId: number): Promise<number> {
  const [row] = await selectRows<{ failed: number | null; ended: number | null }>(
    db,
    `SELECT SUM(failed) AS failed, SUM(delivered + failed) AS ended FROM (
       SELECT failed, delivered FROM wx_job_run WHERE job = 'remind' AND app_id = ? AND state = 'done' AND id <> ?
       ORDER BY slot DESC LIMIT 7) AS runs`,
    [appId, exceptRunId],
  )
  const ended = Number(row?.ended ?? 0)
  return ended === 0 ? 0 : Number(row?.failed ?? 0) / ended
}
