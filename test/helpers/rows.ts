import knex, { type Knex } from 'knex'
import { knexConfig } from '../../src/db/connect.js'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { chunks } from '../../src/lib/chunks.js'
import { createLogger } from '../../src/lib/logger.js'
import { APP_ID, DAY_MS, NOW } from './constants.js'
import type { TestDatabase } from './database.js'

export const silentLog = createLogger({ level: 'silent', secrets: [] })

export interface PermitRow {
  app_id?: string
  open_id?: string
  user_id: number
  form_id?: string
  expire?: number
  status?: number
  message_id?: number
  created_at?: number
  updated_at?: number
}

let numbered = 0

/** A row as an upload of two days ago left it; only what a test is about has to be said. */
export function permitRow(row: PermitRow): Required<PermitRow> {
  const uploaded = NOW - 2 * DAY_MS
  return {
    app_id: APP_ID,
    open_id: `o${row.user_id}`,
    form_id: `permit-${++numbered}`,
    expire: NOW + 5 * DAY_MS,
    status: 0,
    message_id: 0,
    created_at: uploaded,
    updated_at: uploaded,
    ...row,
  }
}

/** Inserts permits and sets every counter to what they come to. Answers the rows as inserted. */
export async function addPermits(db: Knex, rows: PermitRow[]): Promise<Required<PermitRow>[]> {
  const permits = rows.map(permitRow)
  await db.transaction(async (trx) => {
    for (const chunk of chunks(permits, 500)) await trx('wx_save_form_id').insert(chunk)
    await trx('wx_message_push_status').update({ count: 0 })
    await trx.raw(
      `INSERT INTO wx_message_push_status (app_id, user_id, count)
       SELECT app_id, user_id, SUM(CASE status WHEN 0 THEN 1 ELSE 0 END) FROM wx_save_form_id WHERE 1 = 1
       GROUP BY app_id, user_id
       ${isSqlite(db) ? 'ON CONFLICT (app_id, user_id) DO UPDATE SET count = excluded.count' : 'ON DUPLICATE KEY UPDATE count = VALUES(count)'}`,
    )
  })
  return permits
}

/** The counter of each user of the account. */
export async function counts(db: Knex, appId = APP_ID): Promise<Record<number, number>> {
  const rows = await selectRows<{ user_id: number; count: number }>(
    db,
    'SELECT user_id, count FROM wx_message_push_status WHERE app_id = ?',
    [appId],
  )
  return Object.fromEntries(rows.map(({ user_id, count }) => [user_id, count]))
}

/** The status of each permit, by form_id. */
export async function statuses(db: Knex): Promise<Record<string, number>> {
  const rows = await selectRows<{ form_id: string; status: number }>(
    db,
    'SELECT form_id, status FROM wx_save_form_id ORDER BY id',
  )
  return Object.fromEntries(rows.map(({ form_id, status }) => [form_id, status]))
}

/**
 * A pool on the same database, as another process would have it. On SQLite it does not wait for a lock inside the
 * driver: that would stop this process, and with it the pool that is to let go of the lock. So what two of them race
 * for must be in inTransaction, which tries again.
 */
export function openPool({ url }: Pick<TestDatabase, 'url'>, max?: number): Knex {
  // Knex says each connection that it loses or replaces, which is what these tests are about.
  const log = { warn() {}, error() {}, debug() {}, deprecate() {} }
  const known = knexConfig(url)
  const config = { ...known, log, pool: { ...known.pool, ...(max === undefined ? {} : { max }) } }
  const prepare = config.pool?.afterCreate
  if (!url.startsWith('sqlite:') || !prepare) return knex(config)
  const afterCreate = (
    connection: { exec(sql: string): void },
    done: (error: unknown, connection: unknown) => void,
  ) =>
    prepare(connection, (error: unknown) => {
      connection.exec('PRAGMA busy_timeout = 0')
      done(error, connection)
    })
  return knex({ ...config, pool: { ...config.pool, afterCreate } })
}

/** Writes down what a pool is asked from now on. */
export function recordQueries(db: Knex): { sql: string; bindings: readonly unknown[] }[] {
  const queries: { sql: string; bindings: readonly unknown[] }[] = []
  db.on('query', ({ sql, bindings }: { sql: string; bindings?: readonly unknown[] }) => {
    queries.push({ sql, bindings: bindings ?? [] })
  })
  return queries
}

/** Writes down the codes of the errors that a pool meets from now on, also of those that are tried again. */
export function recordErrors(db: Knex, isMeant: (sql: string) => boolean = () => true): string[] {
  const codes: string[] = []
  db.on('query-error', (error: { code?: string; message: string }, { sql }: { sql: string }) => {
    if (isMeant(sql)) codes.push(error.code ?? error.message)
  })
  return codes
}

/** All but the looks for locks of uploads and sweeps, which fail where they find one. */
export const isNoLook = (sql: string): boolean => !sql.includes('NOWAIT')

/** Makes the database refuse rows of a table on which a condition holds, as only a database can. */
export async function refuseRows(
  db: Knex,
  table: string,
  event: 'INSERT' | 'UPDATE' | 'DELETE',
  when: string,
): Promise<{ allow(): Promise<void> }> {
  const name = `refuse_${table}_${event.toLowerCase()}`
  await db.raw(
    isSqlite(db)
      ? `CREATE TRIGGER ${name} BEFORE ${event} ON ${table} WHEN ${when} BEGIN SELECT RAISE(ABORT, 'refused by a test'); END`
      : `CREATE TRIGGER ${name} BEFORE ${event} ON ${table} FOR EACH ROW
         IF ${when} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused by a test'; END IF`,
  )
  return { allow: async () => void (await db.raw(`DROP TRIGGER ${name}`)) }
}
const TABLES = ['wx_save_form_id', 'wx_message_push_status', 'wx_push_message', 'wx_sign_in'] as const

/** How many rows the tables have that callers and runs write to. */
export async function countRows(db: Knex): Promise<Record<(typeof TABLES)[number], number>> {
  const rows = await selectRows<Record<(typeof TABLES)[number], number>>(
    db,
    `SELECT ${TABLES.map((table) => `(SELECT COUNT(*) FROM ${table}) AS ${table}`).join(', ')}`,
  )
  const [counts] = rows
  if (!counts) throw new Error('SELECT without FROM gave no row')
  return { ...counts }
}
