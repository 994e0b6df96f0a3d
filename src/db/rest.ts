import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Knex } from 'knex'
import { pause } from '../lib/pause.js'
import { isSqlite, selectRows } from './sql.js'

/**
 * How a job that has time lets others go first. It rests after each chunk of its work, in proportion to the time that
 * this took, so a slow database gets longer rests: twice as long while others write, and hardly at all while nobody
 * does.
 */
const BUSY_SHARE = 2
const QUIET_SHARE = 0.05
/** A timer takes a millisecond at least, so shorter rests are put together. */
const MIN_REST_MS = 1
/** Work that waited for a lock of somebody who froze took long for another reason. */
const MAX_REST_MS = 1_000
/** A look costs the database some 100 us. */
const LOOK_EVERY_MS = 25
/** After the last sign of others. One who writes five times a second counts as always there. */
const QUIET_AFTER_MS = 200

export interface Rest {
  /** Rests after work that began at this time of `performance.now()`. Returns early when the signal is given. */
  after(startedAt: number): Promise<void>
  /** Whether nobody else has written lately. */
  isQuiet(): boolean
}

/** Rests for one job on this database. */
export function createRest(db: Knex, signal: AbortSignal): Rest {
  const hasOthers = isSqlite(db) ? othersOnSqlite(db) : othersOnMysql(db)
  let lookAt = 0
  let owed = 0
  let isQuiet = false
  let lastSeen: number | undefined

  async function look(): Promise<void> {
    const now = performance.now()
    if (now < lookAt) return
    lookAt = now + LOOK_EVERY_MS
    const found = await hasOthers()
    if (found) lastSeen = now
    isQuiet = found === false && (lastSeen === undefined || now - lastSeen >= QUIET_AFTER_MS)
  }

  return {
    isQuiet: () => isQuiet,
    async after(startedAt) {
      const took = performance.now() - startedAt
      await look()
      owed += took * (isQuiet ? QUIET_SHARE : BUSY_SHARE)
      // What has arrived in this process is to be taken up in any case.
      if (owed < MIN_REST_MS) return nextTurn()
      const ms = Math.min(owed, MAX_REST_MS)
      owed = 0
      await pause(ms, signal)
    },
  }
}

/** Whether others have written since the last call; undefined = this is the first one. */
type HasOthers = () => Promise<boolean | undefined>

/**
 * By the number of INSERTs that the server has had, from whichever process: uploads, runs and sign-ins make some, a
 * job that rests makes none.
 */
function othersOnMysql(db: Knex): HasOthers {
  let before: number | undefined
  return async () => {
    const [row] = await selectRows<{ Value: string }>(db, "SHOW GLOBAL STATUS LIKE 'Com_insert'")
    const inserts = Number(row?.Value)
    const found = before === undefined ? undefined : inserts !== before
    before = inserts
    return found
  }
}

/**
 * By the newest row that the one connection of this process has inserted, and by the version that other processes'
 * commits change. Nobody waits for the connection at the end of a transaction: the driver has let nothing in meanwhile.
 */
function othersOnSqlite(db: Knex): HasOthers {
  let before: string | undefined
  return async () => {
    const [last] = await selectRows<{ inserted: number }>(db, 'SELECT last_insert_rowid() AS inserted')
    const [row] = await selectRows<{ data_version: number }>(db, 'PRAGMA data_version')
    const written = `${last?.inserted} ${row?.data_version}`
    const found = before === undefined ? undefined : written !== before
    before = written
    return found
  }
}
