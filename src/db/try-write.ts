import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { isContention } from './errors.js'
import { execute, isSqlite } from './sql.js'

/** A row that refers to nothing and that nothing waits for; no two processes try with the same name. */
const INSERT = 'INSERT INTO wx_user_number (app_id, last_user_id, updated_at) VALUES'

/** Writes a row and rolls it back. Throws the database's own error if it accepts no writes. */
export async function tryWrite(db: Knex): Promise<void> {
  const name = `write-test-${randomUUID()}`
  if (isSqlite(db)) return tryWriteSqlite(db, name)
  const trx = await db.transaction()
  try {
    await execute(trx, `${INSERT} (?, 0, 0)`, [name])
  } finally {
    await trx.rollback()
  }
}

interface SqliteConnection {
  readonly inTransaction: boolean
  exec(sql: string): void
  prepare(sql: string): { get(): { timeout: number } }
}

/**
 * Does not wait for another writer, whose writing proves the same: the driver would wait inside a call and
 * block the whole process. Nothing reaches the disk, so a full disk shows only with the first row that stays.
 */
async function tryWriteSqlite(db: Knex, name: string): Promise<void> {
  const connection: SqliteConnection = await db.client.acquireConnection()
  const { timeout } = connection.prepare('PRAGMA busy_timeout').get()
  try {
    connection.exec('PRAGMA busy_timeout = 0')
    connection.exec('BEGIN IMMEDIATE')
    connection.exec(`${INSERT} ('${name}', 0, 0)`)
  } catch (error) {
    if (!isContention(error)) throw error
  } finally {
    if (connection.inTransaction) connection.exec('ROLLBACK')
    connection.exec(`PRAGMA busy_timeout = ${timeout}`)
    await db.client.releaseConnection(connection)
  }
}
