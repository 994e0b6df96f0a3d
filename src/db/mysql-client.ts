import { createRequire } from 'node:module'
import type { Knex } from 'knex'
import { isReadOnly, isTimeout } from './errors.js'

interface Connection {
  stream: { destroy(): void }
  destroy(): void
  /** Knex's mark for a connection that its pool must replace. */
  __knex__disposed?: unknown
}
interface Query {
  sql: string
  /** Passed to mysql2 with the statement. */
  options?: { timeout?: number }
}
interface QueryBase {
  _query(connection: Connection, query: Query): Promise<unknown>
}
const Mysql2Client: new (config: Knex.Config) => Knex.Client & QueryBase = createRequire(import.meta.url)(
  'knex/lib/dialects/mysql2',
)

/**
 * Knex on mysql2 with a limit in ms for each statement, so that nobody waits for ever for a server that
 * hangs, or for a machine that vanished without closing its connections. A statement may set its own limit
 * (`options.timeout`).
 */
export function mysqlClient(statementTimeoutMs: number | undefined): typeof Knex.Client {
  class LimitedClient extends Mysql2Client {
    override async _query(connection: Connection, query: Query): Promise<unknown> {
      if (statementTimeoutMs !== undefined) query.options = { timeout: statementTimeoutMs, ...query.options }
      try {
        return await super._query(connection, query)
      } catch (error) {
        if (isTimeout(error)) {
          // The answer may still come, and would be taken for that of the next statement. The connection is
          // cut, not closed: there may be nobody to say goodbye to.
          connection.destroy()
          connection.stream.destroy()
        }
        // A demoted primary keeps its connections: only a new one leads to its successor.
        if (isTimeout(error) || isReadOnly(error)) connection.__knex__disposed = error
        // The server rolls back when the session ends, and the error that ended it is the one that tells
        // something.
        if (/^rollback/i.test(query.sql)) {
          connection.__knex__disposed = error
          connection.destroy()
          return { ...query, response: [] }
        }
        throw error
      }
    }
  }
  return LimitedClient as unknown as typeof Knex.Client
}
