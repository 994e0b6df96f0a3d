import type { Knex } from 'knex'
import { execute, isSqlite, selectRows } from '../../src/db/sql.js'
import { HOUR_MS, MINUTE_MS } from '../../src/lib/durations.js'

/** How the database is filled: on the server, from a table of numbers, since most users of a growth case do nothing. */

export const openIdOf = (userId: number): string => `oBench${String(userId).padStart(22, '0')}`

export const NUMBERS = 'bench_number'

/** Users per statement: a second or so, well below the time that a statement may take. */
const CHUNK = 50_000

export interface Fill {
  appId: string
  users: number
  permitsEach: number
  /** Of each user's first permit, in ms; the others run out a minute apart. */
  expireFrom: number
  /** The first user; default 1. */
  from?: number
  /** Where only one user in so many has permits that are still valid; those of the others ran out an hour ago. */
  validOneIn?: number
}

/** Users with unspent permits, and the statistics that MySQL would have of them after a while. */
export async function fillPermits(db: Knex, fill: Fill, now: number): Promise<void> {
  const { appId, users, permitsEach, expireFrom, from = 1, validOneIn = 1 } = fill
  await inChunks(db, from, from + users - 1, async (first, last) => {
    await execute(
      db,
      `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
       SELECT ?, n, ?, 0, ?, ? FROM ${NUMBERS} WHERE n BETWEEN ? AND ?`,
      [appId, permitsEach, now, now, first, last],
    )
    // As an upload leaves them: it ties the open_id to its user.
    await execute(
      db,
      `INSERT INTO wx_user (app_id, open_id, user_id, created_at, updated_at)
       SELECT ?, ${openIdSql(db)}, n, ?, ? FROM ${NUMBERS} WHERE n BETWEEN ? AND ?`,
      [appId, now, now, first, last],
    )
    for (let k = 0; k < permitsEach; k++)
      await execute(
        db,
        `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)
         SELECT ?, ${openIdSql(db)}, n, ${formIdSql(db, k)}, CASE WHEN n % ? = 0 THEN ? ELSE ? END, ?, ?
         FROM ${NUMBERS} WHERE n BETWEEN ? AND ?`,
        [appId, validOneIn, expireFrom + k * MINUTE_MS, now - HOUR_MS, now, now, first, last],
      )
  })
  await analyze(db)
}

const padded = (db: Knex, what: string | number, width: number): string =>
  isSqlite(db) ? `printf('%0${width}d', ${what})` : `LPAD(${what}, ${width}, '0')`

const joined = (db: Knex, ...parts: string[]): string =>
  isSqlite(db) ? parts.join(' || ') : `CONCAT(${parts.join(', ')})`

export const openIdSql = (db: Knex): string => joined(db, "'oBench'", padded(db, 'n', 22))

/** The form_id number `k` of user n. */
export const formIdSql = (db: Knex, k: number | string): string =>
  joined(db, padded(db, 'n', 24), padded(db, k, 8))

export async function inChunks(
  db: Knex,
  from: number,
  to: number,
  fill: (first: number, last: number) => Promise<void>,
): Promise<void> {
  await numbersUpTo(db, to)
  for (let first = from; first <= to; first += CHUNK) await fill(first, Math.min(to, first + CHUNK - 1))
}

/** The table of numbers doubles until it is long enough, and stays for the next candidate. */
async function numbersUpTo(db: Knex, wanted: number): Promise<void> {
  for (;;) {
    const [row] = await selectRows<{ top: number | null }>(db, `SELECT MAX(n) AS top FROM ${NUMBERS}`)
    const top = row?.top ?? 0
    if (top >= wanted) return
    if (top === 0) await execute(db, `INSERT INTO ${NUMBERS} (n) VALUES (1)`)
    else
      await execute(db, `INSERT INTO ${NUMBERS} (n) SELECT n + ? FROM ${NUMBERS} WHERE n <= ?`, [
        top,
        wanted - top,
      ])
  }
}

/** What the server's own statistics thread would do within a minute, or after a tenth of the rows have changed. */
export async function analyze(db: Knex): Promise<void> {
  if (isSqlite(db)) return
  await db.raw('ANALYZE TABLE wx_save_form_id, wx_message_push_status, wx_user, wx_push_message, wx_sign_in')
}
