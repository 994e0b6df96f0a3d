import type { Knex } from 'knex'
import { MINUTE_MS } from '../lib/durations.js'
import { toUserId } from '../lib/user-id.js'
import { withoutContention } from './transaction.js'

/** What a statement may be given. */
export type Value = string | number | bigint | null

/** The longest list in one statement: MariaDB turns 1,000 values into a join, and then locks rows out of order. */
export const MAX_LIST = 999

/** The dialects differ in a few words; the database a query runs on decides which ones are used. */
export function isSqlite(db: Knex): boolean {
  return db.client.driverName === 'better-sqlite3'
}

/** SQL for the database's own clock in ms: the one clock of every lease, whichever process compares it. */
export function databaseNow(db: Knex): string {
  return isSqlite(db)
    ? "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    : 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)'
}

/** Row locks for a SELECT. SQLite locks the whole file at BEGIN IMMEDIATE and has no such clause. */
export function forUpdate(db: Knex): string {
  return isSqlite(db) ? '' : ' FOR UPDATE'
}

/** Row locks that skip what another transaction holds. */
export function forUpdateSkipLocked(db: Knex): string {
  return isSqlite(db) ? '' : ' FOR UPDATE SKIP LOCKED'
}

/** Row locks that fail at once if another transaction holds a row. */
export function forUpdateNowait(db: Knex): string {
  return isSqlite(db) ? '' : ' FOR UPDATE NOWAIT'
}

/**
 * A MySQL index hint, for a table whose plan was seen to go wrong there. A statement that forces an index
 * other than PRIMARY fails once a DBA drops that index: force one only where the statement would otherwise
 * read the account for each row.
 */
export function mysqlHint(db: Knex, hint: string): string {
  return isSqlite(db) ? '' : ` ${hint}`
}

/** A hint for the rows of a list of ids: they are found by these, whatever other condition has an index. */
export function byPrimaryKey(db: Knex): string {
  return isSqlite(db) ? ' NOT INDEXED' : ' FORCE INDEX (PRIMARY)'
}

/** A join that reads its tables in the order written. SQLite takes a CROSS JOIN for one. */
export function inThisOrder(db: Knex): string {
  return isSqlite(db) ? 'CROSS JOIN' : 'STRAIGHT_JOIN'
}

/**
 * A text as the key of a Map that must find what the database finds: MySQL's collations ignore trailing
 * blanks.
 */
export function asCompared(db: Knex, text: string): string {
  return isSqlite(db) ? text : text.replace(/ +$/, '')
}

/** SQL: of this account, or of any if there is none. */
export function ofAccount(column: string, appId: string | undefined): { sql: string; bindings: string[] } {
  return appId === undefined ? { sql: '1 = 1', bindings: [] } : { sql: `${column} = ?`, bindings: [appId] }
}

/** `?,?,?` for a list of n bindings. */
export function placeholders(n: number): string {
  return Array(n).fill('?').join(',')
}

/** `(?,?),(?,?)` for n rows of `columns` bindings each. */
export function rowPlaceholders(n: number, columns: number): string {
  return Array(n)
    .fill(`(${placeholders(columns)})`)
    .join(',')
}

/**
 * The rows of a SELECT. The caller names their shape, as written in its own SQL. A number beyond 2^53 - 1
 * becomes a bigint; only user ids grow so large.
 */
export async function selectRows<Row>(db: Knex, sql: string, bindings: Value[] = []): Promise<Row[]> {
  return rowsOf(db, sql, bindings, {})
}

/** The limit for a SELECT over a whole table: an audit reads many millions of rows. */
const SCAN_TIMEOUT_MS = 10 * MINUTE_MS

/** The rows of a SELECT that reads whole tables, for which the limit of other statements is too short. */
export async function scanRows<Row>(db: Knex, sql: string, bindings: Value[] = []): Promise<Row[]> {
  return rowsOf(db, sql, bindings, { timeout: SCAN_TIMEOUT_MS })
}

async function rowsOf<Row>(db: Knex, sql: string, bindings: Value[], options: object): Promise<Row[]> {
  const ask = (more: object): Promise<unknown> => send(db, sql, bindings, { ...options, ...more })
  const result = await ask({})
  if (!isSqlite(db)) return exactMysqlRows(...(result as [Record<string, unknown>[], Field[]])) as Row[]
  const rows = result as Record<string, unknown>[]
  // Reading every integer as a bigint would cost time on every row, so only an answer that lost digits is
  // read again.
  if (!rows.some(hasRounded)) return rows as Row[]
  const exact = (await ask({ safeIntegers: true })) as Record<string, unknown>[]
  for (const row of exact) {
    for (const [name, value] of Object.entries(row))
      if (typeof value === 'bigint') row[name] = toUserId(value)
  }
  return exact as Row[]
}

interface Client {
  acquireConnection(): Promise<unknown>
  query(connection: unknown, statement: object): Promise<{ response: unknown }>
  releaseConnection(connection: unknown): Promise<void>
}

/**
 * Sends a statement as Knex's raw() does, on the connection of its transaction if it has one, but without
 * taking the text apart and putting it together again: with thousands of bindings that costs as much as the
 * driver's own work.
 */
async function send(db: Knex, sql: string, bindings: Value[], options: object): Promise<unknown> {
  const client: Client = db.client
  const connection = await client.acquireConnection()
  try {
    return (await client.query(connection, { method: 'raw', sql, bindings, options })).response
  } finally {
    await client.releaseConnection(connection)
  }
}

interface Field {
  name: string
  columnType: number
}

/** The column type of BIGINT in MySQL's protocol. */
const BIGINT = 8

/** mysql2 returns a BIGINT that a number cannot hold as text. */
function exactMysqlRows(rows: Record<string, unknown>[], fields: Field[]): Record<string, unknown>[] {
  const names = fields.filter(({ columnType }) => columnType === BIGINT).map(({ name }) => name)
  for (const row of rows) {
    for (const name of names) {
      const value = row[name]
      if (typeof value === 'string') row[name] = toUserId(value)
    }
  }
  return rows
}

/** libsql returns integers as doubles: one beyond 2^53 - 1 may be its neighbour's. */
function hasRounded(row: Record<string, unknown>): boolean {
  for (const name in row) {
    const value = row[name]
    if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) return true
  }
  return false
}

/** A lock wait was a second long: whether to wait on is for the caller to say. */
const FIRST_LOCK_WAIT = 1

/**
 * Runs an INSERT, UPDATE or DELETE. On MySQL `affectedRows` counts the rows found, changed or not. MySQL ends a
 * deadlock by undoing one of the two: a statement by itself is retried here, a transaction by inTransaction.
 */
export async function execute(
  db: Knex,
  sql: string,
  bindings: Value[] = [],
): Promise<{ affectedRows: number; insertId: number }> {
  const ask = () => send(db, sql, bindings, {})
  const retries = !db.isTransaction && !isSqlite(db)
  const result = await (retries ? withoutContention(ask, () => false, FIRST_LOCK_WAIT) : ask())
  if (isSqlite(db)) {
    const { changes, lastInsertRowid } = result as { changes: number; lastInsertRowid: number }
    return { affectedRows: changes, insertId: lastInsertRowid }
  }
  const [header] = result as [{ affectedRows: number; insertId: number }]
  return { affectedRows: header.affectedRows, insertId: header.insertId }
}
