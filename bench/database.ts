import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Knex } from 'knex'
import { openDatabase } from '../src/db/connect.js'
import { execute, isSqlite, MAX_LIST, rowPlaceholders } from '../src/db/sql.js'
import { migrateLatest } from '../src/schema.js'
import { startMysqlServer } from '../test/helpers/mysql-server.js'

export interface BenchDatabase {
  db: Knex
  url: string
  close(): Promise<void>
}

/** A fresh, migrated database. It starts a private server and does not touch the one in DATABASE_URL. */
export async function createBenchDatabase(kind: 'mysql' | 'sqlite'): Promise<BenchDatabase> {
  if (kind === 'sqlite') {
    const folder = await mkdtemp(join(tmpdir(), 'reminder-bench-'))
    const url = `sqlite:${join(folder, 'bench.db')}`
    const db = openDatabase(url)
    await migrateLatest(db, { onMessage: () => {}, appId: '' })
    return {
      db,
      url,
      close: async () => {
        await db.destroy()
        await rm(folder, { recursive: true })
      },
    }
  }
  const server = await startMysqlServer()
  const root = openDatabase(server.url)
  await root.raw('CREATE DATABASE bench CHARACTER SET utf8mb4')
  await root.destroy()
  const url = new URL(server.url)
  url.pathname = '/bench'
  const db = openDatabase(url.href)
  await migrateLatest(db, { onMessage: () => {}, appId: '' })
  return {
    db,
    url: url.href,
    close: async () => {
      await db.destroy()
      await server.stop()
    },
  }
}

/**
 * `users` users with `permitsEach` unspent permits each, which run out `expireInMs` from now, a minute apart.
 */
export async function fillPermits(
  db: Knex,
  fill: { appId: string; users: number; permitsEach: number; expireFrom: number },
  now: number,
): Promise<void> {
  const { appId, users, permitsEach, expireFrom } = fill
  for (let first = 1; first <= users; first += MAX_LIST) {
    const ids = Array.from({ length: Math.min(MAX_LIST, users - first + 1) }, (_, i) => first + i)
    await db.transaction(async (trx) => {
      await execute(
        trx,
        `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
         VALUES ${rowPlaceholders(ids.length, 6)}`,
        ids.flatMap((id) => [appId, id, permitsEach, 0, now, now]),
      )
      for (let n = 0; n < permitsEach; n++) {
        await execute(
          trx,
          `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire, created_at, updated_at)
           VALUES ${rowPlaceholders(ids.length, 7)}`,
          ids.flatMap((id) => [
            appId,
            `oBench${String(id).padStart(22, '0')}`,
            id,
            `${String(id).padStart(24, '0')}${String(n).padStart(8, '0')}`,
            expireFrom + n * 60_000,
            now,
            now,
          ]),
        )
      }
    })
  }
  if (!isSqlite(db)) await db.raw('ANALYZE TABLE wx_save_form_id, wx_message_push_status')
}
