import type { Knex } from 'knex'
import { columnNames } from '../../migrations/lib/tables.js'
import { execute, selectRows } from '../../src/db/sql.js'
import { addDays } from '../../src/lib/business-date.js'
import { DAY_MS, HOUR_MS } from '../../src/lib/durations.js'
import { analyze, formIdSql, inChunks, NUMBERS, openIdSql } from './fill.js'

/** What days of service leave behind, in the order in which it came. */
export interface History {
  appId: string
  /** Users 1 to this one, each of whom has one delivered reminder of today, which a run has just written. */
  users: number
  days: number
  today: number
  /** Whether the older messages have their permits, and the days their sign-ins. Without, it is messages alone. */
  complete: boolean
}

/** Numbers of form_ids, beyond those of the permits that are unspent. */
const SPENT_K = 1_000
const EXPIRED_K = 2_000

/**
 * Makes today's run yesterday's, and copies it to the days before: so the rows are those that the service writes,
 * whatever columns they have. With `complete`, each user has also spent a permit on each day, let another one run out
 * every third day, and signed in every second day. Today is left to be reminded.
 */
export async function fillHistory(db: Knex, history: History, now: number): Promise<void> {
  const { appId, users, days, today, complete } = history
  const yesterday = addDays(today, -1)
  const last = await shiftToYesterday(db, yesterday)
  for (let ago = days; ago >= 2; ago--) {
    const at = now - ago * DAY_MS
    const date = addDays(today, -ago)
    const times = { created_at: at, settled_at: at, updated_at: at, started_at: at, finished_at: at }
    const run = await copy(db, 'wx_job_run', { slot: date, ...times }, 'c.id = ?', [last])
    await copy(db, 'wx_run_outcome', { run_id: run.insertId }, 'c.run_id = ?', [last])
    await inChunks(db, 1, users, async (first, to) => {
      const users = [first, to]
      if (complete) {
        await spent(db, { appId, at, ago }, users)
        await expiredAndSignedIn(db, { appId, at, ago, date }, users)
      }
      const values = { business_date: date, run_id: run.insertId, ...times }
      if (!complete) await copy(db, 'wx_push_message', values, IS_OF_LAST, [appId, yesterday, ...users])
      else {
        await copy(db, 'wx_push_message', { ...values, permit_id: 'f.id' }, `${IS_OF_LAST} AND ${IS_SPENT}`, [
          appId,
          yesterday,
          ...users,
          appId,
          at,
        ])
        await execute(
          db,
          `UPDATE wx_push_message m JOIN wx_save_form_id f ON f.id = m.permit_id SET f.message_id = m.id
           WHERE m.app_id = ? AND m.business_date = ? AND m.user_id BETWEEN ? AND ?`,
          [appId, date, ...users],
        )
      }
    })
  }
  await analyze(db)
}

const IS_OF_LAST = 'c.app_id = ? AND c.business_date = ? AND c.user_id BETWEEN ? AND ?'
/** The permit of the copied message's user that was spent at that time. */
const IS_SPENT = 'f.app_id = ? AND f.user_id = c.user_id AND f.status = 1 AND f.updated_at = ?'

/** The run of today that the service has made, its messages and the counters become yesterday's. Returns the run. */
async function shiftToYesterday(db: Knex, yesterday: number): Promise<number> {
  const back = (...columns: string[]): string =>
    columns.map((name) => `${name} = ${name} - ${DAY_MS}`).join(', ')
  await execute(
    db,
    `UPDATE wx_push_message SET business_date = ?, ${back('created_at', 'settled_at', 'updated_at')}`,
    [yesterday],
  )
  await execute(db, 'UPDATE wx_message_push_status SET last_date = ? WHERE last_date > 0', [yesterday])
  await execute(
    db,
    `UPDATE wx_job_run SET slot = ?, ${back('started_at', 'finished_at', 'updated_at')} WHERE job = 'remind'`,
    [yesterday],
  )
  const [run] = await selectRows<{ id: number }>(db, "SELECT id FROM wx_job_run WHERE job = 'remind'")
  if (!run) throw new Error('There is no run to make a history of')
  return run.id
}

/** Inserts copies of rows `c` of a table, with other values in some of its columns: numbers, or an expression. */
async function copy(
  db: Knex,
  table: string,
  values: Record<string, string | number>,
  which: string,
  bindings: number[] | (number | string)[],
): Promise<{ insertId: number }> {
  const columns = (await columnNames(db, table)).filter((name) => name !== 'id')
  const selected = columns.map((name) => values[name] ?? `c.${name}`)
  const permits = which.includes(IS_SPENT) ? 'JOIN wx_save_form_id f' : ''
  return execute(
    db,
    `INSERT INTO ${table} (${columns.join(', ')}) SELECT ${selected.join(', ')} FROM ${table} c ${permits} WHERE ${which}`,
    bindings,
  )
}

interface OldDay {
  appId: string
  at: number
  ago: number
}

/** One permit of each user, which that day's reminder has spent. */
function spent(db: Knex, { appId, at, ago }: OldDay, users: number[]): Promise<unknown> {
  return execute(
    db,
    `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, status, created_at, updated_at)
     SELECT ?, ${openIdSql(db)}, n, ${formIdSql(db, SPENT_K + ago)}, ?, 1, ?, ? FROM ${NUMBERS} WHERE n BETWEEN ? AND ?`,
    [appId, at + 6 * DAY_MS, at - DAY_MS, at, ...users],
  )
}

/** What ran out between two reminders, so that neither should have spent it. */
async function expiredAndSignedIn(
  db: Knex,
  { appId, at, ago, date }: OldDay & { date: number },
  users: number[],
): Promise<void> {
  await execute(
    db,
    `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, status, created_at, updated_at)
     SELECT ?, ${openIdSql(db)}, n, ${formIdSql(db, EXPIRED_K + ago)}, ?, 2, ?, ? FROM ${NUMBERS}
     WHERE n BETWEEN ? AND ? AND n % 3 = ${ago % 3}`,
    [appId, at + 2 * HOUR_MS, at + HOUR_MS, at + 3 * HOUR_MS, ...users],
  )
  await execute(
    db,
    `INSERT INTO wx_sign_in (app_id, user_id, day, streak, created_at)
     SELECT ?, n, ?, 1, ? FROM ${NUMBERS} WHERE n BETWEEN ? AND ? AND n % 2 = ${ago % 2}`,
    [appId, date, at, ...users],
  )
}
