import type { PoolState } from '../db/pool.js'
import type { Instruments } from './instruments.js'

/** Returns what shows whether the database answers, and its pool. */
export function createDatabaseMetrics(instruments: Instruments): (isUp: boolean, pool: PoolState) => void {
  const up = instruments.gauge(
    'database_up',
    'Whether the database has answered the reads of these metrics within a second: 1 or 0.',
  )
  const connections = instruments.gauge(
    'database_pool_connections',
    "Connections of this process's pool to the database, in use and free.",
    ['state'],
  )
  const max = instruments.gauge('database_pool_max_connections', 'How many connections the pool may have.')
  const waiting = instruments.gauge('database_pool_waiting', 'Who waits for a connection of the pool.')
  return (isUp, pool) => {
    up.set(isUp ? 1 : 0)
    connections.set({ state: 'used' }, pool.used)
    connections.set({ state: 'free' }, pool.free)
    max.set(pool.max)
    waiting.set(pool.waiting)
  }
}
