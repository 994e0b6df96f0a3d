import type { Knex } from 'knex'
import { DateTime } from 'luxon'
import { codeOf } from '../db/errors.js'
import { isSqlite, selectRows } from '../db/sql.js'
import { tryWrite } from '../db/try-write.js'
import { ServiceError } from '../errors.js'
import { KNOWN_ERRORS } from '../findings/catalogue.js'
import { type Finding, toFinding } from '../findings/finding.js'
import type { Bilingual } from '../lib/bilingual.js'
import { measureSkew, SKEW_LIMIT_MS, SKEW_WARN_MS } from './clock.js'

/** What the doctor says about the database. Each check changes nothing. */

const OLDEST = { mariadb: [10, 6], mysql: [8, 0] } as const

/** The same word in both languages: a name or a number. */
const same = (text: string): Bilingual => ({ en: text, zh: text })

export async function examineDatabase(db: Knex): Promise<Finding> {
  const name = 'database'
  try {
    const sql = isSqlite(db) ? 'SELECT sqlite_version() AS version' : 'SELECT VERSION() AS version'
    const [row] = await selectRows<{ version: string }>(db, sql)
    const version = row?.version ?? ''
    if (isSqlite(db))
      return toFinding(name, 'ok', {
        en: `SQLite ${version}; for one process only`,
        zh: `SQLite ${version}，只适用于单进程`,
      })
    const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
    const [oldestMajor, oldestMinor] = OLDEST[version.includes('MariaDB') ? 'mariadb' : 'mysql']
    const isOldEnough = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
    if (isOldEnough) return toFinding(name, 'ok', same(version))
    return toFinding(
      name,
      'fail',
      { en: `${version} has no SKIP LOCKED`, zh: `${version} 不支持 SKIP LOCKED` },
      { fix: { en: 'Use MySQL 8.0+ or MariaDB 10.6+.', zh: '请使用 MySQL 8.0+ 或 MariaDB 10.6+。' } },
    )
  } catch (error) {
    if (error instanceof ServiceError) return toFinding(name, 'fail', same(error.message))
    const code = codeOf(error)
    return toFinding(
      name,
      'fail',
      { en: `cannot be reached: ${code || 'no answer'}`, zh: `无法连接：${code || '没有应答'}` },
      {
        fix: {
          en: 'Check DATABASE_URL and that the server is running.',
          zh: '检查 DATABASE_URL，并确认数据库正在运行。',
        },
      },
    )
  }
}

/** `pending` tells the names of the migrations that the database lacks. */
export async function examineMigrations(
  db: Knex,
  pending: (db: Knex) => Promise<string[]>,
): Promise<Finding> {
  const name = 'migrations'
  try {
    const lacking = (await pending(db)).length
    if (lacking === 0) return toFinding(name, 'ok', { en: 'none pending', zh: '没有待执行的' })
    return toFinding(
      name,
      'fail',
      { en: `${lacking} pending`, zh: `有 ${lacking} 个待执行` },
      { fix: { en: 'Run: npm run migrate', zh: '执行：npm run migrate' } },
    )
  } catch (error) {
    if (error instanceof ServiceError) return toFinding(name, 'fail', same(error.message))
    throw error
  }
}

export async function examineWrites(db: Knex): Promise<Finding> {
  const name = 'writes'
  try {
    await tryWrite(db)
    return toFinding(name, 'ok', {
      en: 'a row was written and rolled back',
      zh: '写入一行并回滚成功',
    })
  } catch (error) {
    const code = codeOf(error)
    return toFinding(
      name,
      'fail',
      { en: `refused: ${code || 'no answer'}`, zh: `被拒绝：${code || '没有应答'}` },
      {
        fix: {
          en: 'Check the privileges of the user, the free disk space, and that the server is the primary, not a replica.',
          zh: '检查数据库用户的权限、磁盘空间，并确认连接的是主库而不是从库。',
        },
      },
    )
  }
}

export async function examineZone(db: Knex, timezone: string, now: number): Promise<Finding> {
  const name = 'time_zone'
  const local = DateTime.fromMillis(now, { zone: timezone }).toFormat('yyyy-MM-dd HH:mm')
  const here = { en: `${timezone}, where it is ${local}`, zh: `${timezone}，当地时间 ${local}` }
  if (isSqlite(db)) return toFinding(name, 'ok', here)
  const [row] = await selectRows<{ zone: string }>(db, 'SELECT @@session.time_zone AS zone')
  if (row?.zone === '+00:00')
    return toFinding(name, 'ok', {
      en: `${here.en}; database session in UTC`,
      zh: `${here.zh}；数据库会话为 UTC`,
    })
  return toFinding(
    name,
    'fail',
    { en: `database session in ${row?.zone}`, zh: `数据库会话时区为 ${row?.zone}` },
    {
      fix: {
        en: 'Let nothing between here and the server change the session, such as a proxy with init_connect.',
        zh: '不要让中间层（例如带 init_connect 的代理）修改会话设置。',
      },
    },
  )
}

export async function examineClock(db: Knex, systemNow: () => number): Promise<Finding> {
  const name = 'clock'
  const skew = await measureSkew(db, systemNow)
  const ms = Math.abs(skew)
  const reason = {
    en: `database ${ms} ms ${skew < 0 ? 'behind' : 'ahead of'} this process`,
    zh: `数据库比本进程${skew < 0 ? '慢' : '快'} ${ms} 毫秒`,
  }
  if (ms <= SKEW_WARN_MS) return toFinding(name, 'ok', reason)
  const more = { fix: KNOWN_ERRORS.clocks_differ.fix, finding: 'clocks_differ' } as const
  if (ms <= SKEW_LIMIT_MS) return toFinding(name, 'warn', reason, more)
  const stopped = {
    en: `${reason.en}; no job runs until they agree`,
    zh: `${reason.zh}；校准之前不执行任何任务`,
  }
  return toFinding(name, 'fail', stopped, more)
}

export async function examinePool(db: Knex): Promise<Finding> {
  const name = 'pool'
  const max: number = db.client.pool.max
  if (isSqlite(db))
    return toFinding(name, 'ok', {
      en: 'one connection, because SQLite has one writer',
      zh: '一个连接，因为 SQLite 只有一个写入者',
    })
  const [limit] = await selectRows<{ n: number }>(db, 'SELECT @@max_connections AS n')
  const rows = await selectRows<{ Value: string }>(db, "SHOW STATUS LIKE 'Threads_connected'")
  const connected = Number(rows[0]?.Value ?? 0)
  const reason = {
    en: `up to ${max} connections for this process; the server has ${connected} of ${limit?.n}`,
    zh: `本进程最多 ${max} 个连接；数据库已用 ${connected} / ${limit?.n}`,
  }
  if (connected + max <= (limit?.n ?? 0)) return toFinding(name, 'ok', reason)
  return toFinding(name, 'warn', reason, {
    fix: {
      en: 'Raise max_connections, or run fewer processes.',
      zh: '调高 max_connections，或减少进程数。',
    },
  })
}
