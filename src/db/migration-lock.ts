import knex, { type Knex } from 'knex'
import { MINUTE_MS } from '../lib/durations.js'
import { openUnhurried } from './connect.js'
import { isSqlite, selectRows } from './sql.js'

const WAIT_SECONDS = 5
/** A migration of a few million adopted rows takes minutes. */
const MAX_WAIT_MS = 30 * MINUTE_MS
/** Well below the server's limit for a silent session. That limit ends the lock of a process that froze. */
const KEEP_ALIVE_MS = 5_000
/**
 * Contains the database's name, because names of GET_LOCK are shared by the whole server; hashed, as they have 64
 * characters at most. By SHA2: MySQL 9.6 took MD5 away.
 */
export const LOCK_NAME = "CONCAT('wx_migrate_', LEFT(SHA2(DATABASE(), 256), 32))"

/**
 * Runs `work` in one process at a time. Knex's own lock is not enough: it is a row that a killed process
 * leaves behind, and then every later run fails. So on MySQL we also hold GET_LOCK, which ends with its
 * session: its holder knows that nobody else migrates, and frees the row. On SQLite everything is one
 * transaction, Knex's row included.
 */
export async function withMigrationLock<T>(
  db: Knex,
  onMessage: (message: string) => void,
  work: (locked: Knex) => Promise<T>,
): Promise<T> {
  if (isSqlite(db)) return db.transaction(work)
  const unhurried = openUnhurried(db)
  try {
    const release = await takeMigrationLock(unhurried.client.config, onMessage)
    return await work(unhurried).finally(release)
  } finally {
    await unhurried.destroy()
  }
}

/**
 * Waits for GET_LOCK on MySQL and frees what a killed run left. Returns the function that releases the lock.
 */
export async function takeMigrationLock(
  config: Knex.Config,
  onMessage: (message: string) => void,
): Promise<() => Promise<void>> {
  // A pool of one, so that every query runs in the session that holds the lock.
  const session = knex({
    ...config,
    pool: { ...config.pool, min: 0, max: 1, idleTimeoutMillis: 2 ** 31 - 1 },
  })
  try {
    await waitForLock(session, onMessage)
    await freeStaleLock(session, onMessage)
  } catch (error) {
    await session.destroy()
    throw error
  }
  const keepAlive = setInterval(() => {
    session.raw('DO 0').catch((error) => onMessage(`The migration lock may be lost: ${error.message}`))
  }, KEEP_ALIVE_MS)
  keepAlive.unref()
  return async () => {
    clearInterval(keepAlive)
    await session.destroy()
  }
}

async function waitForLock(session: Knex, onMessage: (message: string) => void): Promise<void> {
  const deadline = Date.now() + MAX_WAIT_MS
  for (let told = false; ; told = true) {
    const [answer] = await selectRows<{ got: number | null; holder: number | null }>(
      session,
      `SELECT GET_LOCK(${LOCK_NAME}, ?) AS got, IS_USED_LOCK(${LOCK_NAME}) AS holder`,
      [told ? WAIT_SECONDS : 0],
    )
    if (answer?.got === 1) return
    const who = `connection ${answer?.holder ?? '?'} of the database server (SHOW PROCESSLIST)`
    if (Date.now() > deadline) throw new Error(`Another process is still migrating this database: ${who}`)
    if (!told) onMessage(`Another process is migrating this database: ${who}. Waiting for it`)
  }
}

async function freeStaleLock(session: Knex, onMessage: (message: string) => void): Promise<void> {
  if (!(await session.schema.hasTable('knex_migrations_lock'))) return
  const freed = await session('knex_migrations_lock').where({ is_locked: 1 }).update({ is_locked: 0 })
  if (freed > 0)
    onMessage('A migration was interrupted here. Its lock is released, and it resumes where it stopped')
}
