import type { Knex } from 'knex'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { pendingMigrations } from '../../src/schema.js'
import {
  createEmptyDatabase,
  createTestDatabase,
  dialects,
  emptyTables,
  migrate,
  type TestDatabase,
} from './database.js'

describe.each(dialects)('a test database on %s', (dialect) => {
  let one: TestDatabase
  let other: TestDatabase

  beforeAll(async () => {
    one = await createEmptyDatabase(dialect)
    other = await createTestDatabase(dialect)
  })
  afterAll(async () => {
    await one.close()
    await other.close()
  })

  test('shares no table with another one', async () => {
    await one.db.schema.createTable('only_here', (table) => table.increments())
    expect(await other.db.schema.hasTable('only_here')).toBe(false)
  })

  test('a test database has the tables that the migrations make, and none pending', async () => {
    await migrate(one.db)
    expect(await describeTables(other.db)).toEqual(await describeTables(one.db))
    expect(await pendingMigrations(other.db)).toEqual([])
  })

  test('loses its rows but not its schema when emptied', async () => {
    await one.db.schema.createTable('rows', (table) => table.increments())
    await one.db('rows').insert([{ id: 1 }, { id: 2 }])
    await emptyTables(one.db)
    expect(await selectRows(one.db, 'SELECT * FROM `rows`')).toEqual([])
  })
})

async function describeTables(db: Knex): Promise<object[]> {
  if (isSqlite(db)) {
    return selectRows(db, "SELECT name, sql FROM sqlite_master WHERE name LIKE 'wx%' ORDER BY name")
  }
  const tables = await selectRows<{ name: string }>(
    db,
    `SELECT table_name AS name FROM information_schema.tables
     WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name LIKE 'wx%' ORDER BY name`,
  )
  return Promise.all(
    tables.map(async ({ name }) => {
      const [table] = await selectRows<{ 'Create Table': string }>(db, `SHOW CREATE TABLE ${name}`)
      // A copy on MySQL has names of its own for its checks, and writes their texts in the letters of the column.
      const text = table?.['Create Table'].replaceAll(/CONSTRAINT `\w+` CHECK/g, 'CHECK')
      return { name, text: text?.replaceAll(/_(?:ascii|utf8mb4)(?=')/g, '') }
    }),
  )
}
