import { createRequire } from 'node:module'
import type { Knex } from 'knex'

const require = createRequire(import.meta.url)

/** The two Knex dialect modules that its type declarations do not cover, with just the parts that are used here. */
interface TransactionBase {
  query(connection: unknown, sql: string): Promise<unknown>
}
const BetterSqlite3Client: new (
  config: Knex.Config,
) => Knex.Client = require('knex/lib/dialects/better-sqlite3')
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

/** Knex on `libsql`: better-sqlite3's API in prebuilt packages, so that an install needs no compiler. */
export class LibsqlClient extends BetterSqlite3Client {
  _driver(): unknown {
    return require('libsql')
  }

  override transaction(...args: unknown[]): Knex.Transaction {
    return new ImmediateTransaction(this, ...args) as unknown as Knex.Transaction
  }
}
