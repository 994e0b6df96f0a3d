import type { Knex } from 'knex'
import { databaseNow, selectRows } from '../db/sql.js'
import { ServiceError } from '../errors.js'

/** Above this an operator should look: permits are judged by the process's clock, leases by the database's. */
export const SKEW_WARN_MS = 2_000
/** Above this no job runs: a permit must still be valid for a margin of one minute. */
export const SKEW_LIMIT_MS = 30_000

/** How far the database's clock is ahead of this process's, in ms, to within half the time of a query. */
export async function measureSkew(db: Knex, systemNow: () => number): Promise<number> {
  const before = systemNow()
  const [row] = await selectRows<{ now: number }>(db, `SELECT ${databaseNow(db)} AS now`)
  const middle = (before + systemNow()) / 2
  return Math.round(Number(row?.now ?? 0) - middle)
}

/** Throws `not_ready` if the clocks of process and database differ so much that a job could do harm. */
export async function assertClocksAgree(db: Knex, systemNow: () => number): Promise<void> {
  const skew = await measureSkew(db, systemNow)
  if (Math.abs(skew) <= SKEW_LIMIT_MS) return
  throw new ServiceError(
    'not_ready',
    `The clocks of this machine and of the database differ by ${Math.round(skew / 1000)} s. Set both by NTP; until then no job runs.`,
  )
}
