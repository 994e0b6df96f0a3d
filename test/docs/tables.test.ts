import type { Knex } from 'knex'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrations } from '../../migrations/index.js'
import { columnNames } from '../../migrations/lib/tables.js'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { createTestDatabase, dialects, emptyTables, type TestDatabase } from '../helpers/database.js'
import { all, codeIn, languagesOf, PAGES, read, rowsOf, wordOf, wordsIn } from './pages.js'

const databases = new Map<string, TestDatabase>()
const on = (dialect: string): Knex => {
  const db = databases.get(dialect)?.db
  if (!db) throw new Error(`no database on ${dialect}`)
  return db
}

beforeAll(async () => {
  for (const dialect of dialects) databases.set(dialect, await createTestDatabase(dialect))
})
afterAll(async () => {
  for (const { close } of databases.values()) await close()
})

/** The values that the CHECK of a column allows. */
async function valuesOf(table: string, column: string): Promise<string[]> {
  const [row] = await selectRows<{ sql: string }>(
    on('sqlite'),
    "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?",
    [table],
  )
  const [list = ''] = all(row?.sql ?? '', new RegExp(`CHECK \\(${column} IN \\(([^)]*)\\)`, 'g'))
  return list.split(',').map((value) => value.replaceAll("'", ''))
}

/** Statements of a block, without comments. */
const statementsIn = (block: string) =>
  block
    .replace(/^--.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')

/** As the page says how to write it for SQLite. */
const forSqlite = (statement: string) =>
  statement
    .replaceAll('UNIX_TIMESTAMP()', 'unixepoch()')
    .replace(/FROM_UNIXTIME\(((?:[^()]|\([^()]*\))*)\)/g, "datetime($1, 'unixepoch', '+8 hours')")

describe.each(languagesOf('docs/tables.md'))('%s', (page) => {
  const text = read(page)
  const blocks = codeIn(text, 'sql')
  const queries = statementsIn(blocks[0] ?? '')

  test('lists exactly the tables that there are', async () => {
    const tables = await selectRows<{ name: string }>(
      on('sqlite'),
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'wx@_%' ESCAPE '@'",
    )
    const listed = rowsOf(page, 'table', '表').map(([table]) => wordOf(table))
    expect(listed.sort()).toEqual(tables.map(({ name }) => name).sort())
  })

  test('names columns that they have', async () => {
    for (const [table, , columns] of rowsOf(page, 'table', '表')) {
      const named = wordsIn(columns).filter((word) => /^[a-z_]+$/.test(word))
      expect(named.length, table).toBeGreaterThan(0)
      expect(await columnNames(on('sqlite'), wordOf(table)), table).toEqual(expect.arrayContaining(named))
    }
  })

  test('lists exactly the values of status and the states of a message', async () => {
    const values = rowsOf(page, 'status', 'state', '状态').map(([value = '']) => wordOf(value) || value)
    const inSchema = [
      ...(await valuesOf('wx_save_form_id', 'status')),
      ...(await valuesOf('wx_push_message', 'state')),
    ]
    expect(inSchema.length).toBe(3 + 7)
    expect(values).toEqual(inSchema)
  })

  test.each(dialects)('has queries that %s answers', async (dialect) => {
    expect(queries.length).toBeGreaterThan(7)
    for (const query of queries) {
      expect(query).toMatch(/^SELECT /)
      await selectRows(on(dialect), dialect === 'sqlite' ? forSqlite(query) : query)
    }
  })

  test.each([0, 1])(
    'shows how to write by hand so that the books of a user with %i permits stay right',
    { tags: ['mysql'] },
    async (permits) => {
      const db = on('mysql')
      await emptyTables(db)
      const user = { app_id: 'wx0123456789abcdef', user_id: 9003 }
      if (permits > 0) {
        const expire = Date.now() + 86_400_000
        await db('wx_save_form_id').insert({ ...user, open_id: 'oSeed_9003', form_id: 'first', expire })
        await db('wx_message_push_status').insert({ ...user, count: permits })
      }
      await db.transaction(async (trx) => {
        const statements = statementsIn(blocks[1] ?? '').filter((one) => !/^(BEGIN|COMMIT)$/.test(one))
        expect(statements).toHaveLength(4)
        for (const statement of statements) await trx.raw(statement)
      })
      expect(await db('wx_message_push_status').pluck('count')).toEqual([permits + 1])
      expect((await audit(db, Date.now(), false)).checks.filter(({ ok }) => !ok)).toEqual([])
    },
  )

  test('says how many migrations there are', () => {
    expect(text).toContain(`Batch 1 run: ${Object.keys(migrations).length} migrations`)
  })
})

test.each(PAGES)('%s names tables, views and indexes that there are', async (page) => {
  const named = all(
    read(page),
    /\b(wx_(?:save|message|push|job|sign|user|callback|access|card|claim)_?[a-z_]*)\b/g,
  )
  const others = await selectRows<{ name: string }>(
    on('sqlite'),
    "SELECT name FROM sqlite_master WHERE type IN ('view', 'index')",
  )
  const tables = rowsOf('docs/tables.md', 'table').map(([table]) => wordOf(table))
  // On MySQL, the tables that lie by user have a key of their own for the id.
  const known = [...tables, ...tables.map((table) => `${table}_id_uq`), ...others.map(({ name }) => name)]
  expect(named.filter((name) => !known.includes(name))).toEqual([])
})
