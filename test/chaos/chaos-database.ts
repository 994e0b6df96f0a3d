import { rmSync } from 'node:fs'
import { join } from 'node:path'
import knex, { type Knex } from 'knex'
import { knexConfig, openDatabase } from '../../src/db/connect.js'
import { makeDataFolder } from '../helpers/data-folder.js'
import { type MysqlServer, startMysqlServer } from '../helpers/mysql-server.js'
import type { ChaosOptions } from './options.js'

/** An empty database; of MariaDB on a server of its own, that can be killed. */
export async function createDatabase(
  kind: ChaosOptions['database'],
  undo: (() => unknown)[],
): Promise<{ url: string; server?: MysqlServer }> {
  if (kind === 'sqlite') {
    const folder = makeDataFolder('reminder-chaos-')
    undo.push(() => rmSync(folder, { recursive: true, force: true }))
    return { url: `sqlite:${join(folder, 'chaos.db')}` }
  }
  const server = await startMysqlServer()
  undo.push(server.stop)
  const root = openDatabase(server.url)
  await root.raw('CREATE DATABASE chaos CHARACTER SET utf8mb4')
  await root.destroy()
  return { url: `${server.url}/chaos`, server }
}

/**
 * The driver's own pool. On SQLite it does not wait for a lock: the driver would stand still with it, and whoever holds
 * the lock may be frozen until the driver wakes it. Nor does it complain of a database that it has itself killed.
 */
export function openForLooking(url: string): Knex {
  const silent = { warn() {}, error() {}, debug() {}, deprecate() {} }
  const config = { ...knexConfig(url), log: silent }
  if (!url.startsWith('sqlite:')) return knex(config)
  const afterCreate = (
    connection: { exec(sql: string): void },
    done: (error: unknown, c: unknown) => void,
  ) => {
    connection.exec('PRAGMA busy_timeout = 30')
    connection.exec('PRAGMA journal_mode = WAL')
    done(null, connection)
  }
  return knex({ ...config, pool: { min: 1, max: 1, afterCreate } })
}
