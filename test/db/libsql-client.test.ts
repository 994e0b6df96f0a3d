import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isContention } from '../../src/db/errors.js'
import { createEmptyDatabase, type TestDatabase } from '../helpers/database.js'
import { openPool } from '../helpers/rows.js'

describe('a SQLite connection', () => {
  let database: TestDatabase
  let db: Knex
  let second: Knex

  beforeEach(async () => {
    database = await createEmptyDatabase('sqlite')
    db = openPool(database)
    second = openPool(database)
    await db.raw('CREATE TABLE t (x INTEGER PRIMARY KEY)')
  })
  afterEach(async () => {
    await Promise.all([db.destroy(), second.destroy()])
    await database.close()
  })

  const rows = async () => (await db('t').orderBy('x')).map(({ x }) => x)

  test.each([
    ['transaction', () => second.transaction((trx) => trx('t').insert({ x: 2 }))],
    ['statement', () => second('t').insert({ x: 2 })],
    ['statement with an answer', () => second.raw('INSERT INTO t VALUES (2) RETURNING x')],
  ])('that met a lock with a %s commits again afterwards', async (_, write) => {
    const holder = await db.transaction()
    await holder('t').insert({ x: 1 })
    const error = await write().then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(isContention(error)).toBe(true)
    await holder.commit()

    await write()
    await second.transaction((trx) => trx('t').insert({ x: 3 }))
    await db.transaction((trx) => trx('t').insert({ x: 4 }))
    expect(await rows()).toEqual([1, 2, 3, 4])
  })

  test('whose commit failed has no transaction open', async () => {
    await db.raw('PRAGMA foreign_keys = ON')
    await db.raw('CREATE TABLE u (x INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED)')
    await expect(db.transaction((trx) => trx('u').insert({ x: 9 }))).rejects.toThrow('FOREIGN KEY')
    await second.transaction((trx) => trx('t').insert({ x: 1 }))
    await db.transaction((trx) => trx('t').insert({ x: 2 }))
    expect(await rows()).toEqual([1, 2])
    expect(await db('u')).toEqual([])
  })
})
