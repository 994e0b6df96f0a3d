import { createRequire } from 'node:module'
import type { Knex } from 'knex'
import { isContention } from './errors.js'

const require = createRequire(import.meta.url)

/**
 * The two Knex dialect modules that Knex's type declarations do not cover, with only the parts that are used
 * here.
 */
interface TransactionBase {
  query(connection: unknown, sql: string): Promise<unknown>
}
interface QueryBase {
  acquireRawConnection(): Promise<Connection>
  _query(connection: Connection, query: { sql: string }): Promise<unknown>
}
interface Connection {
  inTransaction: boolean
  exec(sql: string): void
  /** Knex's mark for a connection that its pool must replace. */
  __knex__disposed?: unknown
}
const BetterSqlite3Client: new (
  config: Knex.Config,
) => Knex.Client & QueryBase = require('knex/lib/dialects/better-sqlite3')
const SqliteTransaction: new (
  ...args: unknown[]
) => TransactionBase = require('knex/lib/dialects/sqlite3/execution/sqlite-transaction')

/**
 * Takes the write lock at the start. A deferred transaction that reads first and writes later fails with
 * SQLITE_BUSY at once, whatever the busy timeout, when another process wrote in between
 * (sqlite.org/lang_transaction.html, "read transactions versus write transactions").
 */
class ImmediateTransaction extends SqliteTransaction {
  begin(connection: unknown): Promise<unknown> {
    return this.query(connection, 'BEGIN IMMEDIATE;')
  }
}

/**
 * Pages in the write-ahead log, of 4 KiB, before they are copied into the file. A commit of 64 uploads writes
 * some 400 pages all over the indexes: with SQLite's 1,000 every third commit copies them, with these most are
 * overwritten first. The log grows to some 64 MB.
 */
const CHECKPOINT_PAGES = 16_000

/** Knex on `libsql`: better-sqlite3's API in prebuilt packages, so that an install needs no compiler. */
export class LibsqlClient extends BetterSqlite3Client {
  _driver(): unknown {
    return require('libsql')
  }

  override async acquireRawConnection(): Promise<Connection> {
    const connection = await super.acquireRawConnection()
    connection.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    return connection
  }

  /**
   * The driver does not reset a statement that met a lock, and while that statement exists no transaction on
   * its connection can commit; so the pool gets a new connection. A COMMIT that fails leaves its transaction
   * open: Knex would hand it to the next caller, with the write lock that every other process waits for.
   */
  override async _query(connection: Connection, query: { sql: string }): Promise<unknown> {
    try {
      return await super._query(connection, query)
    } catch (error) {
      const isCommit = /^commit/i.test(query.sql)
      if (isCommit && connection.inTransaction) connection.exec('ROLLBACK')
      if (isCommit || isContention(error)) connection.__knex__disposed = error
      throw error
    }
  }

  override transaction(...args: unknown[]): Knex.Transaction {
    return new ImmediateTransaction(this, ...args) as unknown as Knex.Transaction
  }
}
