import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/connect.js'
import { execute, isSqlite, MAX_LIST, rowPlaceholders, selectRows } from '../../src/db/sql.js'
import { migrateLatest } from '../../src/schema.js'
import { startMysqlServer } from '../../test/helpers/mysql-server.js'

export type Kind = 'mysql' | 'sqlite'

export interface BenchDatabase {
  kind: Kind
  db: Knex
  url: string
  /** Of the server; undefined where the database is in the process that uses it. */
  pid: number | undefined
  /** Deletes every row. */
  empty(): Promise<void>
  close(): Promise<void>
}

/** A fresh, migrated database: DATABASE_URL is not touched. MySQL's is a private server with its default durability. */
export async function createBenchDatabase(kind: Kind): Promise<BenchDatabase> {
  return kind === 'sqlite' ? createSqlite() : createMysql()
}

async function createSqlite(): Promise<BenchDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'reminder-bench-'))
  const url = `sqlite:${join(folder, 'bench.db')}`
  const db = openDatabase(url)
  await migrate(db)
  return {
    kind: 'sqlite',
    db,
    url,
    pid: undefined,
    empty: () => emptyTables(db),
    async close() {
      await db.destroy()
      await rm(folder, { recursive: true })
    },
  }
}

async function createMysql(): Promise<BenchDatabase> {
  const server = await startMysqlServer()
  const root = openDatabase(server.url)
  await root.raw('CREATE DATABASE bench CHARACTER SET utf8mb4')
  const [row] = await selectRows<{ file: string }>(root, 'SELECT @@pid_file AS file')
  await root.destroy()
  const url = new URL(server.url)
  url.pathname = '/bench'
  const db = openDatabase(url.href)
  await migrate(db)
  return {
    kind: 'mysql',
    db,
    url: url.href,
    pid: Number(readFileSync(row?.file ?? '', 'utf8')),
    empty: () => emptyTables(db),
    async close() {
      await db.destroy()
      await server.stop()
    },
  }
}

function migrate(db: Knex): Promise<void> {
  return migrateLatest(db, { onMessage: () => {}, appId: '' })
}

const TABLES = [
  'wx_save_form_id',
  'wx_message_push_status',
  'wx_push_message',
  'wx_job_run',
  'wx_job_cursor',
  'wx_user',
  'wx_sign_in',
]

async function emptyTables(db: Knex): Promise<void> {
  for (const table of TABLES) await db.raw(isSqlite(db) ? `DELETE FROM ${table}` : `TRUNCATE TABLE ${table}`)
}

export interface Fill {
  appId: string
  users: number
  permitsEach: number
  /** Of each user's first permit, in ms; the others run out a minute apart. */
  expireFrom: number
}

export const openIdOf = (userId: number): string => `oBench${String(userId).padStart(22, '0')}`

/** Users with unspent permits, and the statistics that MySQL would have of them after a while. */
export async function fillPermits(db: Knex, fill: Fill, now: number): Promise<void> {
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
            openIdOf(id),
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
