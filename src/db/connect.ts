import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import knex, { type Knex } from 'knex'
import { ConfigError } from '../errors.js'
import { isDecodable } from '../lib/decodable.js'
import { redact } from '../lib/redact.js'
import { LibsqlClient } from './libsql-client.js'
import { mysqlClient } from './mysql-client.js'
import { type MysqlConnection, prepareSession } from './mysql-session.js'
import { type ObserveStatement, observedClient } from './observed-client.js'

export const DEFAULT_DATABASE_URL = 'sqlite:./data/reminder.db'

const BUSY_TIMEOUT_MS = 10_000
const CONNECT_TIMEOUT_MS = 10_000
const MYSQL_POOL_MAX = 10
/** Less than `idleSeconds`, so that the pool closes its idle connections and not the server. */
const POOL_IDLE_MS = 10_000
/**
 * A process that freezes or vanishes in a transaction keeps its rows locked for this long. Our own
 * transactions are silent for milliseconds, or for as long as a busy machine does not let the process run.
 */
const SESSION_TIMES = {
  statementTimeoutMs: CONNECT_TIMEOUT_MS,
  lockWaitSeconds: 1,
  idleSeconds: 20,
  idleTransactionSeconds: 10,
}
/**
 * The statements of the service take milliseconds, a wait for a lock one second; statements that read whole
 * tables set a longer limit.
 */
const STATEMENT_TIMEOUT_MS = 30_000
/**
 * A machine that vanished is noticed on an idle connection within some 20 s: from this delay on, Node probes
 * every second.
 */
const KEEP_ALIVE_MS = 10_000

export const DATABASE_URL_FORMS =
  'sqlite:PATH or mysql://user:password@host:3306/name (MySQL 8.0+, MariaDB 10.6+)'

/** Whether a DATABASE_URL can be opened, as far as its text tells. */
export function isDatabaseUrl(text: string): boolean {
  if (/^sqlite:./.test(text)) return true
  if (!/^(mysql|mariadb):\/\//.test(text) || !URL.canParse(text)) return false
  const { hostname, username, password, pathname } = new URL(text)
  return hostname !== '' && pathname.length > 1 && [username, password, pathname].every(isDecodable)
}

/**
 * Opens a pool on `sqlite:PATH` or `mysql://user:password@host:port/name`. It connects with the first query.
 * A statement that MySQL does not answer within `statementTimeoutMs` fails, and its connection is given up.
 * `observe` is told of each statement.
 */
export function openDatabase(
  databaseUrl: string,
  statementTimeoutMs = STATEMENT_TIMEOUT_MS,
  observe?: ObserveStatement,
): Knex {
  const config = knexConfig(databaseUrl, statementTimeoutMs)
  return knex(observe ? { ...config, client: observedClient(config.client, observe) } : config)
}

/**
 * A pool like this one without a limit on its statements, for work such as a migration of millions of rows.
 */
export function openUnhurried(db: Knex): Knex {
  return knex({ ...db.client.config, client: mysqlClient(undefined) })
}

/** Knex would warn on stdout, which belongs to the answer of a command. */
const log: Knex.Logger = {
  warn: toStderr,
  error: toStderr,
  debug: toStderr,
  deprecate: (method, alternative) => toStderr(`${method} is deprecated, use ${alternative}`),
}

function toStderr(message: unknown): void {
  process.stderr.write(`${redact(String(message))}\n`)
}

/**
 * Knex settings for a DATABASE_URL, by default without a limit on statements. Throws ConfigError for any
 * other kind of URL.
 */
export function knexConfig(databaseUrl: string, statementTimeoutMs?: number): Knex.Config {
  if (databaseUrl.startsWith('sqlite:')) return sqliteConfig(databaseUrl.slice('sqlite:'.length))
  if (/^(mysql|mariadb):\/\//.test(databaseUrl))
    return mysqlConfig(databaseUrl.replace(/^mariadb:/, 'mysql:'), statementTimeoutMs)
  throw new ConfigError([`DATABASE_URL must be ${DATABASE_URL_FORMS}`])
}

function sqliteConfig(filename: string): Knex.Config {
  // The file holds users and a token of WeChat, so a folder that is made here belongs to its owner alone.
  if (filename !== ':memory:') mkdirSync(dirname(filename), { recursive: true, mode: 0o700 })
  return {
    client: LibsqlClient as unknown as typeof Knex.Client,
    connection: { filename },
    useNullAsDefault: true,
    log,
    compileSqlOnError: false,
    // One connection: SQLite has one writer, and a second one in the same process would only wait for the first.
    pool: {
      min: 1,
      max: 1,
      afterCreate: (connection: SqliteConnection, done: PoolCallback) =>
        prepareSqlite(connection, filename, done),
    },
  }
}

interface SqliteConnection {
  exec(sql: string): void
}
type PoolCallback = (error: unknown, connection: unknown) => void

function prepareSqlite(connection: SqliteConnection, filename: string, done: PoolCallback): void {
  connection.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
  connection.exec('PRAGMA journal_mode = WAL')
  connection.exec('PRAGMA synchronous = FULL')
  if (filename !== ':memory:') closeToOthers(filename)
  done(null, connection)
}

/** The file and those beside it, which get its mode when SQLite recreates them. */
function closeToOthers(filename: string): void {
  for (const file of [filename, `${filename}-wal`, `${filename}-shm`]) {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0
    if ((mode & 0o077) === 0) continue
    try {
      chmodSync(file, 0o600)
    } catch {
      toStderr(`${file} can be read by other users of this machine; its owner should run chmod 600 on it`)
    }
  }
}

function mysqlConfig(uri: string, statementTimeoutMs: number | undefined): Knex.Config {
  const connectTimeout = Math.min(CONNECT_TIMEOUT_MS, statementTimeoutMs ?? CONNECT_TIMEOUT_MS)
  return {
    client: mysqlClient(statementTimeoutMs),
    connection: {
      uri,
      charset: 'utf8mb4',
      timezone: 'Z',
      supportBigNumbers: true,
      connectTimeout,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    } as Knex.MySql2ConnectionConfig,
    // Values stay out of error messages: they may be a token or an open_id.
    compileSqlOnError: false,
    log,
    pool: {
      min: 0,
      max: MYSQL_POOL_MAX,
      idleTimeoutMillis: POOL_IDLE_MS,
      afterCreate: (connection: MysqlConnection, done: (error: unknown, connection: unknown) => void) =>
        prepareSession(connection, SESSION_TIMES, done),
    },
    acquireConnectionTimeout: connectTimeout,
  }
}
