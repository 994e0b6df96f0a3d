/** Error codes of the databases, by name. mysql2 gives `code`, libsql the extended result code's name. */
const DUPLICATE = new Set(['ER_DUP_ENTRY', 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'])
const CONTENTION = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'SQLITE_BUSY', 'SQLITE_LOCKED'])
const CONNECTION = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'PROTOCOL_CONNECTION_LOST',
  'ER_CON_COUNT_ERROR',
  'ER_SERVER_SHUTDOWN',
])

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** A unique key refused the row: usually somebody else was first. */
export function isDuplicate(error: unknown): boolean {
  return DUPLICATE.has(codeOf(error))
}

/** Another transaction was in the way (deadlock 1213, lock wait 1205, SQLite busy): the same work may be tried again. */
export function isContention(error: unknown): boolean {
  return CONTENTION.has(codeOf(error))
}

/** The database was not there, or had no connection to give: no statement's fault. */
export function isConnectionLost(error: unknown): boolean {
  return CONNECTION.has(codeOf(error)) || (error instanceof Error && error.name === 'KnexTimeoutError')
}
