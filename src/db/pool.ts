import type { Knex } from 'knex'

/** The connections of a pool at this moment. */
export interface PoolState {
  used: number
  free: number
  /** Who waits for one. */
  waiting: number
  max: number
}

/** Knex's declarations leave its pool open; these are the questions that tarn answers. */
interface Pool {
  max: number
  numUsed(): number
  numFree(): number
  numPendingAcquires(): number
}

export function poolStateOf(db: Knex): PoolState {
  const pool: Pool | undefined = db.client.pool
  if (!pool) return { used: 0, free: 0, waiting: 0, max: 0 }
  return {
    used: pool.numUsed(),
    free: pool.numFree(),
    waiting: pool.numPendingAcquires(),
    max: pool.max,
  }
}
