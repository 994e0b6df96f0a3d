/** Error codes of the databases, by name. mysql2 gives `code`, libsql the extended result code's name. */
const DUPLICATE = new Set(['ER_DUP_ENTRY', 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'])
/** Includes NOWAIT, for which MySQL has a code of its own. */
const LOCK_WAIT = new Set(['ER_LOCK_WAIT_TIMEOUT', 'ER_LOCK_NOWAIT'])
const CONTENTION = new Set([...LOCK_WAIT, 'ER_LOCK_DEADLOCK', 'SQLITE_BUSY', 'SQLITE_LOCKED'])
const CONNECTION = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'PROTOCOL_CONNECTION_LOST',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_SERVER_SHUTDOWN',
  'ER_CONNECTION_KILLED',
])
/** mysql2's code for a statement that was not answered within its limit. */
const TIMEOUT = 'PROTOCOL_SEQUENCE_TIMEOUT'
const READ_ONLY = new Set([
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_READ_ONLY_MODE',
  'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
])
const FULL = new Set(['ER_DISK_FULL', 'ER_RECORD_FILE_FULL', 'SQLITE_FULL'])

/** The database's own name for an error; empty for an error that is not the database's. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** A unique key refused the row: usually another transaction was first. */
export function isDuplicate(error: unknown): boolean {
  return DUPLICATE.has(codeOf(error))
}

/**
 * Another transaction was in the way (deadlock 1213, lock wait 1205 or 3572, SQLite busy): the same work can
 * be retried.
 */
export function isContention(error: unknown): boolean {
  return CONTENTION.has(codeOf(error))
}

/** Another transaction holds a row and does not end: the one kind of contention that takes long. */
export function isLockWait(error: unknown): boolean {
  return LOCK_WAIT.has(codeOf(error))
}

/** The database did not answer a statement in time. The effect of the statement is not known. */
export function isTimeout(error: unknown): boolean {
  return codeOf(error) === TIMEOUT
}

/** The server refuses writes: it is a replica, or a primary before a failover, or an operator wants it so. */
export function isReadOnly(error: unknown): boolean {
  return READ_ONLY.has(codeOf(error))
}

/** What is wrong with the database itself, whatever the statement: nothing that a caller could fix. */
export function whyUnavailable(error: unknown): 'does not answer' | 'accepts no writes' | undefined {
  const code = codeOf(error)
  if (isReadOnly(error) || FULL.has(code) || code.startsWith('SQLITE_READONLY')) return 'accepts no writes'
  // A connection that was already lost: fatal, without a code (mysql2).
  const isClosed = error instanceof Error && 'fatal' in error && error.fatal === true && code === ''
  const isAway = CONNECTION.has(code) || isTimeout(error) || isClosed
  // Knex waited for a connection from the pool, and none came free or could be opened.
  const isPoolEmpty = error instanceof Error && error.name === 'KnexTimeoutError'
  return isAway || isPoolEmpty ? 'does not answer' : undefined
}
