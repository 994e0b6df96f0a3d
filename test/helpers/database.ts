import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Knex } from 'knex'
import { inject } from 'vitest'
import { openDatabase } from '../../src/db/connect.js'
import type { MigrationParams } from '../../src/db/migrate.js'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { migrateLatest } from '../../src/schema.js'

export const dialects = ['sqlite', 'mysql'] as const
export type Dialect = (typeof dialects)[number]

export interface TestDatabase {
  db: Knex
  /** As in DATABASE_URL, for a second pool or another process. */
  url: string
  /** Closes the pool and removes the database. */
  close(): Promise<void>
}

/** Migrates without a word, and without an account, unless `params` say otherwise. */
export function migrate(db: Knex, params: Partial<MigrationParams> = {}): Promise<void> {
  return migrateLatest(db, { onMessage: () => {}, appId: '', ...params })
}

/** A database of its own, migrated. Two calls never share anything. */
export async function createTestDatabase(dialect: Dialect): Promise<TestDatabase> {
  const database = await createEmptyDatabase(dialect)
  try {
    if (dialect === 'mysql') await copyTemplate(database.db)
    else await migrate(database.db)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Tables as the migrations leave them, Knex's rows about these included. */
async function copyTemplate(db: Knex): Promise<void> {
  const template = `${inject('databasePrefix')}template`
  const tables = await selectRows<{ name: string }>(
    db,
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?',
    [template],
  )
  for (const { name } of tables) {
    await db.raw('CREATE TABLE ?? LIKE ??.??', [name, template, name])
    if (name.startsWith('knex')) await db.raw('INSERT INTO ?? SELECT * FROM ??.??', [name, template, name])
  }
}

/** A database without a table, for tests of the migrations themselves. */
export async function createEmptyDatabase(dialect: Dialect): Promise<TestDatabase> {
  const { url, remove } = dialect === 'sqlite' ? createSqliteFile() : await createMysqlDatabase()
  const db = openDatabase(url)
  return {
    db,
    url,
    close: async () => {
      await db.destroy()
      await remove()
    },
  }
}

/** Deletes every row of every table but Knex's own. DELETE, because TRUNCATE makes a new table on MySQL: 10 ms each. */
export async function emptyTables(db: Knex): Promise<void> {
  const tables = await selectRows<{ name: string }>(
    db,
    isSqlite(db)
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'knex%'"
      : "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name NOT LIKE 'knex%'",
  )
  await db.transaction(async (trx) => {
    for (const { name } of tables) await trx.raw('DELETE FROM ??', [name])
  })
}

function createSqliteFile(): { url: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'reminder-sqlite-'))
  return {
    url: `sqlite:${join(folder, 'test.db')}`,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function createMysqlDatabase(): Promise<{ url: string; remove: () => Promise<void> }> {
  const name = `${inject('databasePrefix')}${randomBytes(6).toString('hex')}`
  const url = new URL(inject('mysqlServerUrl'))
  await onServer((server) => server.raw('CREATE DATABASE ?? CHARACTER SET utf8mb4', [name]))
  url.pathname = `/${name}`
  return {
    url: url.href,
    remove: () => onServer((server) => server.raw('DROP DATABASE IF EXISTS ??', [name])),
  }
}

async function onServer(work: (server: Knex) => PromiseLike<unknown>): Promise<void> {
  const server = openDatabase(inject('mysqlServerUrl'))
  try {
    await work(server)
  } finally {
    await server.destroy()
  }
}
