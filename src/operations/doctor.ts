import type { Knex } from 'knex'
import { DateTime } from 'luxon'
import type { Account } from '../account.js'
import { codeOf } from '../db/errors.js'
import { isSqlite, selectRows } from '../db/sql.js'
import { tryWrite } from '../db/try-write.js'
import { ServiceError } from '../errors.js'
import { describeOpen } from '../messages/open-messages.js'
import { countOpen } from '../messages/open-store.js'
import { TokenError } from '../wechat/token-error.js'
import { examineCallback } from './callback-check.js'
import type { CallbackTarget } from './callback-target.js'
import { measureSkew, SKEW_LIMIT_MS, SKEW_WARN_MS } from './clock.js'
import type { Finding } from './finding.js'
import { examineOpening } from './opening-check.js'
import { examineRedis } from './redis-check.js'

export interface DoctorDeps {
  db: Knex
  /** The names of the migrations that the database lacks. */
  pendingMigrations(db: Knex): Promise<string[]>
  account: Account
  systemNow(): number
  getToken(): Promise<string>
  /** Where to test the message push; undefined = nowhere. */
  callback?: CallbackTarget
  /** Where SEND_RATE should be shared; undefined = nowhere. */
  redis?: { url: string; sendRate: number | undefined }
}

const OLDEST = { mariadb: [10, 6], mysql: [8, 0] } as const

/**
 * Checks everything that a run needs, changes nothing, and goes on after a finding as far as it makes sense.
 */
export async function examine(deps: DoctorDeps): Promise<Finding[]> {
  const database = await examineDatabase(deps.db)
  if (database.status === 'fail') return [database]
  const migrations = await examineMigrations(deps)
  const rest = [await examineZone(deps), await examineClock(deps), await examinePool(deps.db)]
  if (deps.account.channel === 'subscribe') rest.push(examineOpening(deps.account))
  if (deps.redis) rest.push(await examineRedis(deps.redis.url, deps.redis.sendRate))
  // Without the tables there is no place for a token or an event.
  if (migrations.status === 'ok') {
    rest.push(await examineWrites(deps.db), await examineMessages(deps))
    rest.push(await examineToken(deps))
    if (deps.callback) rest.push(await examineCallback(deps.account, deps.callback, deps.systemNow))
  }
  return [database, migrations, ...rest]
}

async function examineDatabase(db: Knex): Promise<Finding> {
  const name = 'database'
  try {
    const sql = isSqlite(db) ? 'SELECT sqlite_version() AS version' : 'SELECT VERSION() AS version'
    const [row] = await selectRows<{ version: string }>(db, sql)
    const version = row?.version ?? ''
    if (isSqlite(db)) return { name, status: 'ok', reason: `SQLite ${version}; for one process only` }
    const kind = version.includes('MariaDB') ? 'mariadb' : 'mysql'
    const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
    const [oldestMajor, oldestMinor] = OLDEST[kind]
    const isOldEnough = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
    return isOldEnough
      ? { name, status: 'ok', reason: version }
      : {
          name,
          status: 'fail',
          reason: `${version} has no SKIP LOCKED`,
          fix: 'Use MySQL 8.0+ or MariaDB 10.6+.',
        }
  } catch (error) {
    if (error instanceof ServiceError) return { name, status: 'fail', reason: error.message }
    return {
      name,
      status: 'fail',
      reason: `cannot be reached: ${codeOf(error) || 'no answer'}`,
      fix: 'Check DATABASE_URL and that the server is running.',
    }
  }
}

async function examineMigrations({ db, pendingMigrations }: DoctorDeps): Promise<Finding> {
  const name = 'migrations'
  try {
    const pending = await pendingMigrations(db)
    return pending.length === 0
      ? { name, status: 'ok', reason: 'none pending' }
      : { name, status: 'fail', reason: `${pending.length} pending`, fix: 'Run: npm run migrate' }
  } catch (error) {
    if (error instanceof ServiceError) return { name, status: 'fail', reason: error.message }
    throw error
  }
}

async function examineWrites(db: Knex): Promise<Finding> {
  const name = 'writes'
  try {
    await tryWrite(db)
    return { name, status: 'ok', reason: 'a row was written and rolled back' }
  } catch (error) {
    return {
      name,
      status: 'fail',
      reason: `refused: ${codeOf(error) || 'no answer'}`,
      fix: 'Check the privileges of the user, the free disk space, and that the server is the primary, not a replica.',
    }
  }
}

async function examineMessages({ db, account, systemNow }: DoctorDeps): Promise<Finding> {
  const name = 'messages'
  const open = await countOpen(db, account.appId, systemNow())
  const reason = describeOpen(open) ?? 'all settled'
  return open.lapsed + open.retriesDue === 0
    ? { name, status: 'ok', reason }
    : { name, status: 'warn', reason, fix: 'Start serve, or run: npm run -s cli -- recover' }
}

async function examineZone({ db, account, systemNow }: DoctorDeps): Promise<Finding> {
  const local = DateTime.fromMillis(systemNow(), { zone: account.timezone })
  const reason = `${account.timezone}, where it is ${local.toFormat('yyyy-MM-dd HH:mm')}`
  if (isSqlite(db)) return { name: 'time_zone', status: 'ok', reason }
  const [row] = await selectRows<{ zone: string }>(db, 'SELECT @@session.time_zone AS zone')
  return row?.zone === '+00:00'
    ? { name: 'time_zone', status: 'ok', reason: `${reason}; database session in UTC` }
    : {
        name: 'time_zone',
        status: 'fail',
        reason: `database session in ${row?.zone}`,
        fix: 'Let nothing between here and the server change the session, such as a proxy with init_connect.',
      }
}

async function examineClock({ db, systemNow }: DoctorDeps): Promise<Finding> {
  const skew = await measureSkew(db, systemNow)
  const reason = `database ${Math.abs(skew)} ms ${skew < 0 ? 'behind' : 'ahead of'} this process`
  const fix = 'Set the clocks of both machines by NTP.'
  if (Math.abs(skew) > SKEW_LIMIT_MS)
    return { name: 'clock', status: 'fail', reason: `${reason}; no job runs until they agree`, fix }
  return Math.abs(skew) > SKEW_WARN_MS
    ? { name: 'clock', status: 'warn', reason, fix }
    : { name: 'clock', status: 'ok', reason }
}

async function examinePool(db: Knex): Promise<Finding> {
  const max: number = db.client.pool.max
  if (isSqlite(db))
    return { name: 'pool', status: 'ok', reason: 'one connection, because SQLite has one writer' }
  const [limit] = await selectRows<{ n: number }>(db, 'SELECT @@max_connections AS n')
  const rows = await selectRows<{ Value: string }>(db, "SHOW STATUS LIKE 'Threads_connected'")
  const connected = Number(rows[0]?.Value ?? 0)
  const reason = `up to ${max} connections for this process; the server has ${connected} of ${limit?.n}`
  return connected + max <= (limit?.n ?? 0)
    ? { name: 'pool', status: 'ok', reason }
    : { name: 'pool', status: 'warn', reason, fix: 'Raise max_connections, or run fewer processes.' }
}

async function examineToken({ account, getToken }: DoctorDeps): Promise<Finding> {
  if (account.appSecret === '') {
    return { name: 'token', status: 'fail', reason: 'no app secret', fix: 'Set WX_APP_SECRET.' }
  }
  try {
    await getToken()
    return { name: 'token', status: 'ok', reason: `WeChat gives a token (${account.tokenMode})` }
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    return { name: 'token', status: 'fail', reason: error.message, fix: error.remedy }
  }
}
