import knex, { type Knex } from 'knex'
import { isSqlite } from './sql.js'

/** An account's share of the database: for work that may have to wait for its rows. */
export type DatabaseOf = (appId: string) => Knex

interface Places {
  /** Resolves when there is one. Rejects with `late()` after `waitMs`. */
  enter(): Promise<void>
  leave(): void
}

/**
 * The same database and pool for one of several parties, which has at most `most()` connections at once. Rows that a
 * DBA holds keep a connection waiting for a second each time; so all of them could soon wait for the rows of one party,
 * and the others with them. Who waits for a place waits as long as the pool would let him. It has nothing to close.
 * SQLite has one connection, and no locks on rows.
 */
export function shareOf(db: Knex, most: () => number): Knex {
  if (isSqlite(db)) return db
  const whole: Knex.Client = db.client
  const { config } = whole
  const waitMs = config.acquireConnectionTimeout ?? 0
  const places = createPlaces(most, waitMs, () => new knex.KnexTimeoutError(TOO_LATE))
  const held = new Set<unknown>()

  class Share extends (config.client as typeof Knex.Client) {
    override async acquireConnection(): Promise<unknown> {
      await places.enter()
      try {
        const connection: unknown = await whole.acquireConnection()
        held.add(connection)
        return connection
      } catch (error) {
        places.leave()
        throw error
      }
    }

    override async releaseConnection(connection: unknown): Promise<void> {
      if (held.delete(connection)) places.leave()
      await whole.releaseConnection(connection)
    }
  }
  // Without a pool of its own.
  const share = knex({ ...config, client: Share, pool: { max: 0 } })
  share.client.config = config
  share.client.pool = whole.pool
  return share
}

const TOO_LATE =
  'This account waited too long for one of its connections to the database: others of its statements have them all, and wait for rows that somebody holds'

function createPlaces(most: () => number, waitMs: number, late: () => Error): Places {
  const waiting = new Set<() => void>()
  let taken = 0

  function admit(): void {
    for (const go of waiting) {
      if (taken >= most()) return
      waiting.delete(go)
      taken++
      go()
    }
  }

  return {
    async enter() {
      if (waiting.size === 0 && taken < most()) {
        taken++
        return
      }
      await new Promise<void>((resolve, reject) => {
        const go = (): void => {
          clearTimeout(timer)
          resolve()
        }
        const timer = setTimeout(() => {
          waiting.delete(go)
          reject(late())
        }, waitMs)
        waiting.add(go)
        admit()
      })
    },
    leave() {
      taken--
      admit()
    },
  }
}
