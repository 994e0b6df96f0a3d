import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { databaseName, sqliteFile } from '../../src/db/database-name.js'

test.each([
  ['mysql://reminder:pass-word@db:3307/shop', 'mysql://reminder@db:3307/shop'],
  ['mariadb://reminder:p%40ss@[::1]/shop?password=again&ssl=1#x', 'mariadb://reminder@[::1]/shop'],
  ['mysql://db/shop', 'mysql://db/shop'],
  ['sqlite:data/a.db', `sqlite:${resolve('data/a.db')}`],
  ['sqlite::memory:', 'sqlite::memory:'],
])('%s is called %s', (url, name) => {
  expect(databaseName(url)).toBe(name)
})

test('only an embedded database has a file', () => {
  expect(sqliteFile('sqlite:/tmp/a.db')).toBe('/tmp/a.db')
  expect(sqliteFile('sqlite::memory:')).toBeUndefined()
  expect(sqliteFile('mysql://db/sqlite')).toBeUndefined()
})
