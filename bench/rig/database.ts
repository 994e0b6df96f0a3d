import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Knex } from 'knex'
import { openDatabase } from '../../src/db/connect.js'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { migrateLatest } from '../../src/schema.js'
import { startMysqlServer } from '../../test/helpers/mysql-server.js'
import { NUMBERS } from './fill.js'

export type Kind = 'mysql' | 'sqlite'

export interface BenchDatabase {
  kind: Kind
  db: Knex
  url: string
  /** Of the server; undefined where the database is in the process that uses it. */
  pid: number | undefined
  /** What candidates have filled it with, if the next one may use it too. */
  holds: string
  /** Deletes every row. */
  empty(): Promise<void>
  close(): Promise<void>
}

/** The statements that fill a database, and the audit of millions of rows, take their time. */
const STATEMENT_TIMEOUT_MS = 600_000

/**
 * A fresh, migrated database: DATABASE_URL is not touched. MySQL's is a private server with its default durability and
 * these options.
 */
export async function createBenchDatabase(kind: Kind, options: string[] = []): Promise<BenchDatabase> {
  return kind === 'sqlite' ? createSqlite() : createMysql(options)
}

/** Not in memory: a commit is to cost what it costs on this machine's disk. */
function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'reminder-bench-'))
}

async function createSqlite(): Promise<BenchDatabase> {
  const folder = await makeFolder()
  const url = `sqlite:${join(folder, 'bench.db')}`
  const db = openDatabase(url)
  return asBenchDatabase(db, { kind: 'sqlite', url, pid: undefined }, async () => {
    await db.destroy()
    await rm(folder, { recursive: true })
  })
}

async function createMysql(options: string[]): Promise<BenchDatabase> {
  const server = await startMysqlServer(options, await makeFolder())
  const root = openDatabase(server.url)
  await root.raw('CREATE DATABASE bench CHARACTER SET utf8mb4')
  const [row] = await selectRows<{ file: string }>(root, 'SELECT @@pid_file AS file')
  await root.destroy()
  const url = new URL(server.url)
  url.pathname = '/bench'
  const db = openDatabase(url.href, STATEMENT_TIMEOUT_MS)
  const pid = Number(readFileSync(row?.file ?? '', 'utf8'))
  return asBenchDatabase(db, { kind: 'mysql', url: url.href, pid }, async () => {
    await db.destroy()
    await server.stop()
  })
}

async function asBenchDatabase(
  db: Knex,
  of: Pick<BenchDatabase, 'kind' | 'url' | 'pid'>,
  close: () => Promise<void>,
): Promise<BenchDatabase> {
  await migrateLatest(db, { onMessage: () => {}, appId: '' })
  const tables = await tablesOf(db)
  await db.raw(`CREATE TABLE ${NUMBERS} (n bigint NOT NULL PRIMARY KEY)`)
  const database: BenchDatabase = {
    ...of,
    db,
    holds: '',
    async empty() {
      database.holds = ''
      for (const table of tables)
        await db.raw(isSqlite(db) ? `DELETE FROM ${table}` : `TRUNCATE TABLE ${table}`)
    },
    close,
  }
  return database
}

/** Every table of the service, whichever there are. */
async function tablesOf(db: Knex): Promise<string[]> {
  const rows = await selectRows<{ name: string }>(
    db,
    isSqlite(db)
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'wx!_%' ESCAPE '!'"
      : "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name LIKE 'wx!_%' ESCAPE '!'",
  )
  return rows.map(({ name }) => name)
}
