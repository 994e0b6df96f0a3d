import type { Knex } from 'knex'
import { mayBeDue } from '../books/index.js'
import { inThisOrder, mysqlHint, selectRows, type Value } from '../db/sql.js'
import type { Range } from '../runs/ranges.js'
import type { Passed } from '../runs/totals.js'
import { isStopped } from '../users/stopped.js'
import type { Day } from './due-store.js'

/**
 * The most people, and sign-ins of the day, that a count reads (some 5 ms each): between two counters there may be any
 * number of people who never gave a permit.
 */
const MOST_BESIDE = 50_000

interface Part {
  sql: string
  bindings: Value[]
}

interface Row {
  kind: 'counters' | 'opted_out' | 'blocked'
  users: number
  /** Of these, those who may be due. */
  candidates: number | string | null
  /** Of these again, those who have signed in. */
  signed_in: number | string | null
}

/**
 * Counts the users of a range whom a claim has passed over, in its transaction: all who have not been reminded, by the
 * first cause that is found: no permit, a stop, a sign-in. The rest have no valid permit, or they would have been
 * claimed: nobody's permits are looked at. Undefined if there are too many people to read. On a service account nobody
 * lacks a permit, and a user without an open_id is none of its followers: such a row is not counted.
 */
export async function countPassed(
  trx: Knex.Transaction,
  appId: string,
  range: Range,
  day: Day,
): Promise<Passed | undefined> {
  if (!(await hasPassed(trx, appId, range, day)))
    return { signed_in: 0, no_permit: 0, no_valid_permit: 0, opted_out: 0, blocked: 0 }
  if (await isCrowded(trx, appId, range, day)) return undefined
  // In one statement, which sees one moment.
  const parts = [countersOf(trx, appId, range, day), stoppedOf(trx, appId, range, day)]
  const rows = await selectRows<Row>(
    trx,
    parts.map(({ sql }) => sql).join(' UNION ALL '),
    parts.flatMap(({ bindings }) => bindings),
  )
  const of = (kind: Row['kind']): { users: number; candidates: number; signedIn: number } => {
    const row = rows.find((each) => each.kind === kind)
    return {
      users: row?.users ?? 0,
      candidates: Number(row?.candidates ?? 0),
      signedIn: Number(row?.signed_in ?? 0),
    }
  }
  const [all, optedOut, blocked] = [of('counters'), of('opted_out'), of('blocked')]
  const signedIn = all.signedIn - optedOut.signedIn - blocked.signedIn
  const rest = all.candidates - optedOut.users - blocked.users - signedIn
  return {
    signed_in: signedIn,
    no_permit: all.users - all.candidates,
    no_valid_permit: day.need.kind === 'permit' ? rest : 0,
    opted_out: optedOut.users,
    blocked: blocked.users,
  }
}

/** Whether anybody of a range has not been reminded. Reads the counters alone. */
async function hasPassed(
  trx: Knex.Transaction,
  appId: string,
  { cur, hi }: Range,
  day: Day,
): Promise<boolean> {
  const rows = await selectRows(
    trx,
    `SELECT 1 FROM wx_message_push_status p WHERE p.app_id = ? AND p.user_id > ? AND p.user_id <= ?
       AND p.last_date < ? LIMIT 1`,
    [appId, cur, hi, day.date],
  )
  return rows.length > 0
}

/** The sign-ins are read once, as a set, or looked for one by one: that is for the database to choose. */
function countersOf(trx: Knex.Transaction, appId: string, { cur, hi }: Range, day: Day): Part {
  const mayBe = mayBeDue(day.need)
  return {
    sql: `SELECT 'counters' AS kind, COUNT(*) AS users, SUM(CASE WHEN ${mayBe} THEN 1 ELSE 0 END) AS candidates,
       SUM(CASE WHEN ${mayBe} AND p.user_id IN (
         SELECT s.user_id FROM wx_sign_in s${mysqlHint(trx, 'FORCE INDEX (wx_sign_in_day_idx)')}
         WHERE s.app_id = ? AND s.day = ? AND s.user_id > ? AND s.user_id <= ?) THEN 1 ELSE 0 END) AS signed_in
     FROM wx_message_push_status p WHERE p.app_id = ? AND p.user_id > ? AND p.user_id <= ? AND p.last_date < ?`,
    bindings: [appId, day.date, cur, hi, appId, cur, hi, day.date],
  }
}

/** A user with several open_ids is stopped if one of them is: a wish counts before a block. */
function stoppedOf(trx: Knex.Transaction, appId: string, { cur, hi }: Range, day: Day): Part {
  const primary = mysqlHint(trx, 'FORCE INDEX (PRIMARY)')
  return {
    sql: `SELECT stop, COUNT(*), COUNT(*), SUM(signed_in) FROM (
       SELECT CASE MAX(CASE WHEN u.opted_out_at IS NULL THEN 1 ELSE 2 END) WHEN 2 THEN 'opted_out' ELSE 'blocked' END AS stop,
         CASE WHEN MAX(s.user_id) IS NULL THEN 0 ELSE 1 END AS signed_in
       FROM wx_user u${mysqlHint(trx, 'FORCE INDEX (wx_user_user_idx)')}
       ${inThisOrder(trx)} wx_message_push_status p${primary}
         ON p.app_id = u.app_id AND p.user_id = u.user_id AND ${mayBeDue(day.need)} AND p.last_date < ?
       LEFT JOIN wx_sign_in s${primary} ON s.app_id = u.app_id AND s.user_id = u.user_id AND s.day = ?
       WHERE u.app_id = ? AND u.user_id > ? AND u.user_id <= ? AND ${isStopped('u', '?')}
       GROUP BY u.user_id) AS stopped GROUP BY stop`,
    bindings: [day.date, day.date, appId, cur, hi, day.templateId],
  }
}

/**
 * Whether a range has more people or sign-ins of the day than a count may read. Reads only their indexes, and nothing
 * where there are not as many numbers: few users have several open_ids.
 */
async function isCrowded(
  trx: Knex.Transaction,
  appId: string,
  { cur, hi }: Range,
  day: Day,
): Promise<boolean> {
  if (Number(hi) - Number(cur) <= MOST_BESIDE) return false
  const beyond = (table: string, index: string, ofDay: string): string =>
    `(SELECT 1 FROM ${table}${mysqlHint(trx, `FORCE INDEX (${index})`)}
      WHERE app_id = ?${ofDay} AND user_id > ? AND user_id <= ? LIMIT 1 OFFSET ${MOST_BESIDE})`
  const [row] = await selectRows<{ people: number | null; sign_ins: number | null }>(
    trx,
    `SELECT ${beyond('wx_user', 'wx_user_user_idx', '')} AS people,
       ${beyond('wx_sign_in', 'wx_sign_in_day_idx', ' AND day = ?')} AS sign_ins`,
    [appId, cur, hi, appId, day.date, cur, hi],
  )
  return row?.people === 1 || row?.sign_ins === 1
}
