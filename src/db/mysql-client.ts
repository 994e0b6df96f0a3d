import { createRequire } from 'node:module'
import type { Knex } from 'knex'
import { isReadOnly, isTimeout } from './errors.js'

interface Connection {
  stream: { destroy(): void }
  destroy(): void
  /** Knex's mark for a connection that its pool is to replace. */
  __knex__disposed?: unknown
}
interface Query {
  sql: string
  /** Goes to mysql2 with the statement. */
  options?: { timeout?: number }
}
interface QueryBase {
  _query(connection: Connection, query: Query): Promise<unknown>
}
const Mysql2Client: new (config: Knex.Config) => Knex.Client & QueryBase = createRequire(import.meta.url)(
  'knex/lib/dialects/mysql2',
)

/**
 * Knex on mysql2, with a limit in ms for each statement: nobody waits for ever for a server that hangs, or for a machine
 * that vanished without closing its connections. A statement may bring a limit of its own (`options.timeout`).
 */
export function mysqlClient(statementTimeoutMs: number | undefined): typeof Knex.Client {
  class LimitedClient extends Mysql2Client {
    override async _query(connection: Connection, query: Query): Promise<unknown> {
      if (statementTimeoutMs !== undefined) query.options = { timeout: statementTimeoutMs, ...query.options }
      try {
        return await super._query(connection, query)
      } catch (error) {
        if (isTimeout(error)) {
          // Its answer may still come, and would be taken for that of the next statement. Not closed but cut: nobody
          // may be there to say goodbye to.
          connection.destroy()
          connection.stream.destroy()
        }
        // A primary that was demoted keeps its connections: only a new one leads to its successor.
        if (isTimeout(error) || isReadOnly(error)) connection.__knex__disposed = error
        // The server rolls back with the end of the session, and what ended it is the error that tells something.
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
