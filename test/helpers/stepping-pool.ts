import { createRequire } from 'node:module'
import knex, { type Knex } from 'knex'
import { knexConfig } from '../../src/db/connect.js'
import { LibsqlClient } from '../../src/db/libsql-client.js'
import { execute, selectRows } from '../../src/db/sql.js'
import type { TestDatabase } from './database.js'
import { eventually } from './eventually.js'

interface ClientBase {
  _query(connection: Connection, query: { sql: string }): Promise<unknown>
}
interface Connection {
  threadId?: number
}
interface MysqlConnection {
  query(sql: string, done: (error: unknown) => void): void
}

const PATIENCE_S = 120

const Mysql2Client: new (config: Knex.Config) => ClientBase = createRequire(import.meta.url)(
  'knex/lib/dialects/mysql2',
)

/** A place where a pool stands still, with all locks that its transaction has by then. */
export interface Stop {
  /** With the id of its connection at the server. */
  reached: Promise<number>
  goOn(): void
}

/** A pool as another process would have it, that stops where a test wants it to. */
export interface SteppingPool {
  db: Knex
  /** The next statement that matches waits, before it is sent or after it was answered, until `goOn`. */
  stop(where: 'before' | 'after', statement: RegExp): Stop
  /** Lets go whatever still stands somewhere, so that a test that failed does not hold up the next one. */
  close(): Promise<void>
}

interface Plan {
  where: 'before' | 'after'
  statement: RegExp
  reach(connectionId: number): void
  released: Promise<void>
}

/** Two of these make a race that always takes the same way: which statement comes first is written in the test. */
export function openSteppingPool({ url }: Pick<TestDatabase, 'url'>): SteppingPool {
  const plans: Plan[] = []
  const releases: (() => void)[] = []

  async function standStill(where: Plan['where'], sql: string, connection: Connection): Promise<void> {
    const place = plans.findIndex((plan) => plan.where === where && plan.statement.test(sql))
    const [plan] = place < 0 ? [] : plans.splice(place, 1)
    plan?.reach(connection.threadId ?? 0)
    await plan?.released
  }

  const Base = (url.startsWith('sqlite:') ? (LibsqlClient as unknown) : Mysql2Client) as typeof Mysql2Client
  class SteppingClient extends Base {
    override async _query(connection: Connection, query: { sql: string }): Promise<unknown> {
      await standStill('before', query.sql, connection)
      const answer = await super._query(connection, query)
      await standStill('after', query.sql, connection)
      return answer
    }
  }

  const config = knexConfig(url)
  const client = SteppingClient as unknown as typeof Knex.Client
  const db = knex({ ...config, client, ...(url.startsWith('sqlite:') ? {} : { pool: patient(config.pool) }) })
  return {
    db,
    stop(where, statement) {
      const reached = deferred<number>()
      const released = deferred<void>()
      plans.push({ where, statement, reach: reached.resolve, released: released.promise })
      releases.push(released.resolve)
      return { reached: reached.promise, goOn: released.resolve }
    },
    async close() {
      for (const release of releases) release()
      await db.destroy()
    },
  }
}

type PoolConfig = NonNullable<Knex.Config['pool']>

/**
 * What stands still and what waits for it does so for as long as a test needs: the seconds that a session of the service
 * has for that may be over before a busy machine has let the test look.
 */
function patient(pool: PoolConfig = {}): PoolConfig {
  const times = `SET SESSION innodb_lock_wait_timeout = ${PATIENCE_S}, SESSION wait_timeout = ${PATIENCE_S}
    /*M! , SESSION idle_transaction_timeout = ${PATIENCE_S} */`
  return {
    ...pool,
    afterCreate: (connection: MysqlConnection, done: (error: unknown, connection: unknown) => void) =>
      pool.afterCreate?.(connection, (error: unknown) =>
        error
          ? done(error, connection)
          : connection.query(times, (failed: unknown) => done(failed, connection)),
      ),
  }
}

/** Ends a session of MySQL as the death of its process does, and resolves when the server has let go of its rows. */
export async function endSession(db: Knex, connectionId: number): Promise<void> {
  await execute(db, `KILL ${connectionId}`)
  await eventually('the session has ended', async () => {
    const rows = await selectRows(db, 'SELECT id FROM information_schema.processlist WHERE id = ?', [
      connectionId,
    ])
    return rows.length === 0
  })
}

/**
 * Resolves when a transaction of this MySQL database waits for a lock that another one holds. From the server's own
 * report: information_schema.innodb_trx is a copy that is not renewed while somebody reads it every 100 ms.
 */
export async function someoneWaits(db: Knex): Promise<void> {
  await eventually('a transaction waits for a lock', async () => {
    const here = await selectRows<{ id: number }>(
      db,
      'SELECT id FROM information_schema.processlist WHERE db = DATABASE()',
    )
    const [report] = await selectRows<{ Status: string }>(db, 'SHOW ENGINE INNODB STATUS')
    const transactions = report?.Status.split('---TRANSACTION') ?? []
    const waiting = transactions
      .filter((text) => /^LOCK WAIT/m.test(text))
      .map((text) => /thread id (\d+)/.exec(text))
    return waiting.some((found) => here.some(({ id }) => id === Number(found?.[1])))
  })
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
