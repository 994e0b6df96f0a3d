import knex, { type Knex } from 'knex'
import { createPlaces, type Party, type Place } from './places.js'
import { poolStateOf } from './pool.js'
import { isSqlite } from './sql.js'

/** An account's share of the database: for work that may have to wait for its rows. */
export type DatabaseOf = (appId: string) => Knex

/** Gives out shares of one database. */
export interface DatabaseShares {
  /** The same database and pool, for one more party. It has nothing to close. */
  open(): Knex
}

/**
 * Divides the connections of a pool among several parties. Rows that a DBA holds keep a connection waiting for a second
 * each time; so all of them could soon wait for the rows of some, and the others with them. Who waits for a place waits as
 * long as the pool would let him. SQLite has one connection, and no locks on rows. `isDivided`: whether there are several.
 */
export function createDatabaseShares(db: Knex, isDivided: () => boolean): DatabaseShares {
  if (isSqlite(db)) return { open: () => db }
  const places = createPlaces({
    all: () => poolStateOf(db).max,
    isDivided,
    waitMs: db.client.config.acquireConnectionTimeout ?? 0,
    late: () => new knex.KnexTimeoutError(TOO_LATE),
    now: () => performance.now(),
  })
  return { open: () => shareFor(db, places.party()) }
}

function shareFor(db: Knex, party: Party): Knex {
  const whole: Knex.Client = db.client
  const { config } = whole
  const held = new Map<unknown, Place>()

  class Share extends (config.client as typeof Knex.Client) {
    override async acquireConnection(): Promise<unknown> {
      const place = await party.enter()
      try {
        const connection: unknown = await whole.acquireConnection()
        held.set(connection, place)
        return connection
      } catch (error) {
        place.leave()
        throw error
      }
    }

    override async releaseConnection(connection: unknown): Promise<void> {
      held.get(connection)?.leave()
      held.delete(connection)
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
