import { randomBytes } from 'node:crypto'
import { copyFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Knex } from 'knex'
import { afterAll, beforeAll, beforeEach, inject } from 'vitest'
import { openDatabase } from '../../src/db/connect.js'
import type { MigrationParams } from '../../src/db/migrate.js'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { migrateLatest } from '../../src/schema.js'

export type Dialect = 'sqlite' | 'mysql'

/** What tests that hold on every database run on: both, or SQLite alone in `npm run test:quick`. */
export const dialects = inject('dialects')

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

/**
 * A migrated database for the tests of a describe or of a file: empty before each of them, or as it was left where rows
 * are kept, and gone after the last one. Its pool can be held at once, and answers from the first hook on.
 */
export function useDatabase(
  dialect: Dialect,
  { keepRows = false }: { keepRows?: boolean } = {},
): TestDatabase {
  const place = placeOf(dialect)
  const database = openPlace(place)
  beforeAll(async () => {
    await place.create()
    await place.migrate(database.db)
  })
  if (!keepRows) beforeEach(() => emptyTables(database.db))
  afterAll(() => database.close())
  return database
}

/** A database of its own, migrated. Two calls never share anything. */
export async function createTestDatabase(dialect: Dialect): Promise<TestDatabase> {
  return create(dialect, (place, db) => place.migrate(db))
}

/** A database without a table, for tests of the migrations themselves. */
export async function createEmptyDatabase(dialect: Dialect): Promise<TestDatabase> {
  return create(dialect, async () => {})
}

async function create(
  dialect: Dialect,
  fill: (place: Place, db: Knex) => Promise<void>,
): Promise<TestDatabase> {
  const place = placeOf(dialect)
  await place.create()
  const database = openPlace(place)
  try {
    await fill(place, database.db)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

/**
 * Deletes every row of every table but Knex's own, and asks first which have any: most are empty after most tests.
 * DELETE, because TRUNCATE makes a new table on MySQL: 10 ms each.
 */
export async function emptyTables(db: Knex): Promise<void> {
  const tables = await selectRows<{ name: string }>(
    db,
    isSqlite(db)
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'knex%'"
      : "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'knex%'",
  )
  if (tables.length === 0) return
  const filled = await selectRows<{ name: string }>(
    db,
    tables
      .map(({ name }) => `SELECT ? AS name FROM (SELECT 1 FROM \`${name}\` LIMIT 1) AS one`)
      .join(' UNION ALL '),
    tables.map(({ name }) => name),
  )
  if (filled.length === 0) return
  await db.transaction(async (trx) => {
    for (const { name } of filled) await trx.raw('DELETE FROM ??', [name])
  })
}

/** Where a database is or will be. Its name is known before it is there. */
interface Place {
  url: string
  create(): Promise<void>
  /** The tables as the migrations leave them, Knex's rows about these included: a tenth of the time that these take. */
  migrate(db: Knex): Promise<void>
  remove(): Promise<void>
}

function openPlace({ url, remove }: Place): TestDatabase {
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

function placeOf(dialect: Dialect): Place {
  const name = randomBytes(6).toString('hex')
  return dialect === 'sqlite' ? sqlitePlace(name) : mysqlPlace(name)
}

function sqlitePlace(name: string): Place {
  const folder = inject('sqliteFolder')
  const file = join(folder, name, 'test.db')
  return {
    url: `sqlite:${file}`,
    // The pool makes the folder.
    create: async () => {},
    migrate: async () => copyFileSync(join(folder, 'template.db'), file),
    remove: async () => rmSync(dirname(file), { recursive: true, force: true }),
  }
}

function mysqlPlace(suffix: string): Place {
  const name = `${inject('databasePrefix')}${suffix}`
  const url = new URL(inject('mysqlServerUrl'))
  url.pathname = `/${name}`
  return {
    url: url.href,
    create: () => onServer((server) => server.raw('CREATE DATABASE ?? CHARACTER SET utf8mb4', [name])),
    migrate: copyTemplate,
    remove: () => onServer((server) => server.raw('DROP DATABASE IF EXISTS ??', [name])),
  }
}

async function copyTemplate(db: Knex): Promise<void> {
  const template = `${inject('databasePrefix')}template`
  const tables = await selectRows<{ name: string }>(
    db,
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'",
    [template],
  )
  for (const { name } of tables) {
    await db.raw('CREATE TABLE ?? LIKE ??.??', [name, template, name])
    if (name.startsWith('knex')) await db.raw('INSERT INTO ?? SELECT * FROM ??.??', [name, template, name])
  }
  const views = await selectRows<{ name: string; definition: string }>(
    db,
    'SELECT table_name AS name, view_definition AS definition FROM information_schema.views WHERE table_schema = ?',
    [template],
  )
  for (const { name, definition } of views)
    await db.raw(
      `CREATE VIEW ${name} AS ${definition.replaceAll(`\`${template}\`.`, '').replaceAll('?', '\\?')}`,
    )
}

async function onServer(work: (server: Knex) => PromiseLike<unknown>): Promise<void> {
  const server = openDatabase(inject('mysqlServerUrl'))
  try {
    await work(server)
  } finally {
    await server.destroy()
  }
}
