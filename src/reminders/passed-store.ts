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
  kind: 'counters' | 'signed_in' | 'opted_out' | 'blocked'
  users: number
  /** Of the counters, those of users who may be due; of the stopped users, those who have signed in. */
  of_them: number | string | null
}

/**
 * Counts the users of a range whom a claim has passed over, in its transaction: all who have not been reminded, by the
 * first cause that is found: no permit, a stop, a sign-in. The rest have no valid permit, or they would have been claimed:
 * nobody's permits are looked at. Undefined if there are too many people to read. On a service account nobody lacks
 * a permit, and a user without an open_id is none of its followers: such a row is not counted.
 */
export async function countPassed(
  trx: Knex.Transaction,
  appId: string,
  range: Range,
  day: Day,
): Promise<Passed | undefined> {
  const [counters] = await countParts(trx, [countersOf(appId, range, day)])
  const nobody = { signed_in: 0, no_permit: 0, no_valid_permit: 0, opted_out: 0, blocked: 0 }
  if (!counters || Number(counters.of_them) === 0) return { ...nobody, no_permit: counters?.users ?? 0 }
  if (await isCrowded(trx, appId, range, day)) return undefined
  // In one statement, which sees one moment.
  const rows = await countParts(trx, [
    countersOf(appId, range, day),
    stoppedOf(trx, appId, range, day),
    signedInOf(trx, appId, range, day),
  ])
  const of = (kind: Row['kind']): { users: number; ofThem: number } => {
    const row = rows.find((each) => each.kind === kind)
    return { users: row?.users ?? 0, ofThem: Number(row?.of_them ?? 0) }
  }
  const [all, optedOut, blocked] = [of('counters'), of('opted_out'), of('blocked')]
  const signedIn = of('signed_in').users - optedOut.ofThem - blocked.ofThem
  const rest = all.ofThem - optedOut.users - blocked.users - signedIn
  return {
    signed_in: signedIn,
    no_permit: all.users - all.ofThem,
    no_valid_permit: day.need.kind === 'permit' ? rest : 0,
    opted_out: optedOut.users,
    blocked: blocked.users,
  }
}

function countParts(trx: Knex.Transaction, parts: Part[]): Promise<Row[]> {
  return selectRows<Row>(
    trx,
    parts.map(({ sql }) => sql).join(' UNION ALL '),
    parts.flatMap(({ bindings }) => bindings),
  )
}

/** Reads the counters alone: of users who were all reminded, that is the whole count. */
function countersOf(appId: string, { cur, hi }: Range, day: Day): Part {
  return {
    sql: `SELECT 'counters' AS kind, COUNT(*) AS users, SUM(CASE WHEN ${mayBeDue(day.need)} THEN 1 ELSE 0 END) AS of_them
     FROM wx_message_push_status p WHERE p.app_id = ? AND p.user_id > ? AND p.user_id <= ? AND p.last_date < ?`,
    bindings: [appId, cur, hi, day.date],
  }
}

/** The counter of the user of a row in question, if that user may be due. */
function candidateOf(trx: Knex.Transaction, alias: string, { need }: Day): string {
  return `${inThisOrder(trx)} wx_message_push_status p${mysqlHint(trx, 'FORCE INDEX (PRIMARY)')}
     ON p.app_id = ${alias}.app_id AND p.user_id = ${alias}.user_id AND ${mayBeDue(need)} AND p.last_date < ?`
}

/** A user with several open_ids is stopped if one of them is: a wish counts before a block. */
function stoppedOf(trx: Knex.Transaction, appId: string, { cur, hi }: Range, day: Day): Part {
  const primary = mysqlHint(trx, 'FORCE INDEX (PRIMARY)')
  return {
    sql: `SELECT stop, COUNT(*), SUM(signed_in) FROM (
       SELECT CASE MAX(CASE WHEN u.opted_out_at IS NULL THEN 1 ELSE 2 END) WHEN 2 THEN 'opted_out' ELSE 'blocked' END AS stop,
         CASE WHEN MAX(s.user_id) IS NULL THEN 0 ELSE 1 END AS signed_in
       FROM wx_user u${mysqlHint(trx, 'FORCE INDEX (wx_user_user_idx)')} ${candidateOf(trx, 'u', day)}
       LEFT JOIN wx_sign_in s${primary} ON s.app_id = u.app_id AND s.user_id = u.user_id AND s.day = ?
       WHERE u.app_id = ? AND u.user_id > ? AND u.user_id <= ? AND ${isStopped('u', '?')}
       GROUP BY u.user_id) AS stopped GROUP BY stop`,
    bindings: [day.date, day.date, appId, cur, hi, day.templateId],
  }
}

function signedInOf(trx: Knex.Transaction, appId: string, { cur, hi }: Range, day: Day): Part {
  return {
    sql: `SELECT 'signed_in', COUNT(*), 0 FROM wx_sign_in s${mysqlHint(trx, 'FORCE INDEX (wx_sign_in_day_idx)')}
     ${candidateOf(trx, 's', day)} WHERE s.app_id = ? AND s.day = ? AND s.user_id > ? AND s.user_id <= ?`,
    bindings: [day.date, appId, day.date, cur, hi],
  }
}

/** Whether a range has more people or sign-ins of the day than a count may read. Reads only their indexes. */
async function isCrowded(
  trx: Knex.Transaction,
  appId: string,
  { cur, hi }: Range,
  day: Day,
): Promise<boolean> {
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
