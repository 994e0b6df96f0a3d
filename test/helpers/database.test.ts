import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import {
  createEmptyDatabase,
  createTestDatabase,
  dialects,
  emptyTables,
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

  test('loses its rows but not its schema when emptied', async () => {
    await one.db.schema.createTable('rows', (table) => table.increments())
    await one.db('rows').insert([{ id: 1 }, { id: 2 }])
    await emptyTables(one.db)
    expect(await selectRows(one.db, 'SELECT * FROM `rows`')).toEqual([])
  })
})
