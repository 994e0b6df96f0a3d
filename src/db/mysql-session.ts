import { ServiceError } from '../errors.js'

/** What Knex passes to afterCreate: mysql2's connection. */
export interface MysqlConnection {
  query(statement: { sql: string; timeout: number }, done: (error: unknown, rows?: unknown) => void): void
  destroy(): void
}

export interface SessionTimes {
  statementTimeoutMs: number
  lockWaitSeconds: number
  idleSeconds: number
  idleTransactionSeconds: number
}

/**
 * The whole mode, not an addition to the existing one: mysql2 escapes with backslashes and quotes with single
 * quotes, so that with NO_BACKSLASH_ESCAPES a caller's text would be SQL. MySQL 8.0+ and MariaDB 10.6+ know
 * each of these.
 */
const SQL_MODES = [
  'STRICT_TRANS_TABLES',
  'STRICT_ALL_TABLES',
  'ERROR_FOR_DIVISION_BY_ZERO',
  'NO_ENGINE_SUBSTITUTION',
]
/**
 * mysql2 writes UTF-8. In a GBK session the backslash of `中'` would be half a character, and the quote would
 * end the text.
 */
const CHARSET = 'utf8mb4'

/**
 * Sets up a new session and reads back the settings on which the safety of every statement rests. A session
 * that does not keep them is closed, with an error that says why.
 *
 * READ COMMITTED takes no gap locks on range updates, which keeps the sweep and the ingest apart. It has a
 * statement of its own because the variable is tx_isolation up to MariaDB 11.0 and transaction_isolation
 * elsewhere. The server ends a silent session and frees the rows that it holds: wait_timeout applies inside a
 * transaction too; MariaDB has a shorter limit for that, which MySQL reads as a comment.
 */
export function prepareSession(
  connection: MysqlConnection,
  times: SessionTimes,
  done: (error: unknown, connection: unknown) => void,
): void {
  const end = (error: unknown) => {
    // Knex forgets a connection that it could not prepare.
    if (error) connection.destroy()
    done(error, connection)
  }
  const ask = (sql: string, next: (rows: unknown) => void): void =>
    connection.query({ sql, timeout: times.statementTimeoutMs }, (error, rows) =>
      error ? end(error) : next(rows),
    )
  ask('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED', () =>
    ask(
      `SET NAMES ${CHARSET}, SESSION sql_mode = '${SQL_MODES.join()}', SESSION time_zone = '+00:00',
       SESSION innodb_lock_wait_timeout = ${times.lockWaitSeconds}, SESSION wait_timeout = ${times.idleSeconds}
       /*M! , SESSION idle_transaction_timeout = ${times.idleTransactionSeconds} */`,
      () =>
        ask('SELECT @@SESSION.sql_mode AS modes, @@SESSION.character_set_client AS charset', (rows) =>
          end(whyUnsafe((rows as { modes: string; charset: string }[])[0])),
        ),
    ),
  )
}

function whyUnsafe(session: { modes: string; charset: string } | undefined): ServiceError | undefined {
  const modes = session?.modes.split(',') ?? []
  const hasModes = modes.length === SQL_MODES.length && SQL_MODES.every((mode) => modes.includes(mode))
  if (hasModes && session?.charset === CHARSET) return undefined
  return new ServiceError(
    'not_ready',
    `The database does not keep the settings of a session, without which a caller's text could become SQL: sql_mode is "${session?.modes}" and character_set_client "${session?.charset}". Let nothing between here and the server change them, such as a proxy`,
  )
}
