import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assignUnassigned } from '../../src/books/index.js'
import { inTransaction } from '../../src/db/transaction.js'
import { createTestDatabase, dialects, emptyTables, useDatabase } from '../helpers/database.js'
import { readCounters, readPermits, wrongCounters } from '../migrations/old-tables.js'

const NOW = 1_700_000_000_000

describe.each(dialects)('rows without an account on %s', (dialect) => {
  const database = useDatabase(dialect)

  const permit = (form_id: string, values: object = {}) => ({
    app_id: '',
    open_id: 'oOpen',
    user_id: 1,
    form_id,
    expire: NOW,
    status: 0,
    ...values,
  })
  const assign = () => assignUnassigned(database.db, 'wxA', NOW)

  test('written by hand go to the account, with a counter', async () => {
    await database.db.raw(
      "insert into wx_save_form_id (open_id,user_id,form_id,expire) values ('oOpen', 7, 'by-hand', 1700000000000)",
    )
    expect(await assign()).toEqual({ permits: 1, duplicates: 0, counters: 0 })
    expect(await readPermits(database.db)).toMatchObject([
      { app_id: 'wxA', form_id: 'by-hand', use_no: 1, status: 0 },
    ])
    expect(await readCounters(database.db)).toMatchObject([
      { app_id: 'wxA', user_id: 7, count: 1, last_date: 0 },
    ])
  })

  test('rows without an account are expired where the account has the permit already', async () => {
    const { db } = database
    await db('wx_save_form_id').insert([
      permit('F', { app_id: 'wxA', status: 1 }),
      permit('G', { app_id: 'wxB' }),
      permit('F'),
      permit('G'),
      permit('f'),
    ])
    await db('wx_message_push_status').insert([{ app_id: 'wxB', user_id: 1, count: 1 }])
    expect(await assign()).toEqual({ permits: 3, duplicates: 1, counters: 0 })
    const rows = (await readPermits(db)).map((row) => [row.app_id, row.form_id, row.use_no, row.status])
    expect(rows).toEqual([
      ['wxA', 'F', 1, 1],
      ['wxB', 'G', 1, 0],
      ['wxA', 'F', 2, 2],
      ['wxA', 'G', 1, 0],
      ['wxA', 'f', 1, 0],
    ])
    expect(await wrongCounters(db)).toEqual([])
  })

  test('rows without an account are told apart as the database does, where another program wrote blanks at the end', async () => {
    const { db } = database
    await db('wx_save_form_id').insert([permit('F', { app_id: 'wxA', status: 1 }), permit('F ')])
    const isOne = dialect === 'mysql'
    expect(await assign()).toEqual({ permits: 1, duplicates: isOne ? 1 : 0, counters: 0 })
    const rows = (await readPermits(db)).map((row) => [row.app_id, row.form_id, row.use_no, row.status])
    expect(rows).toEqual([['wxA', 'F', 1, 1], isOne ? ['wxA', 'F ', 2, 2] : ['wxA', 'F ', 1, 0]])
    expect(await wrongCounters(db)).toEqual([])
  })

  test('rows without an account keep the latest day of two counters', async () => {
    const { db } = database
    await db('wx_message_push_status').insert([
      { app_id: 'wxA', user_id: 1, count: 0, last_date: 20240101 },
      { app_id: 'wxA', user_id: 2, count: 0, last_date: 20240105 },
      { app_id: '', user_id: 1, count: 4, last_date: 20240103 },
      { app_id: '', user_id: 2, count: 4, last_date: 20240103 },
      { app_id: '', user_id: 3, count: 4, last_date: 20240102 },
    ])
    expect(await assign()).toEqual({ permits: 0, duplicates: 0, counters: 3 })
    expect(await readCounters(db)).toMatchObject([
      { app_id: 'wxA', user_id: 1, count: 0, last_date: 20240103 },
      { app_id: 'wxA', user_id: 2, count: 0, last_date: 20240105 },
      { app_id: 'wxA', user_id: 3, count: 0, last_date: 20240102 },
    ])
  })

  test('rows without an account are assigned however many there are, once', async () => {
    const { db } = database
    const rows = Array.from({ length: 1700 }, (_, n) => permit(`form-${n}`, { user_id: n % 40 }))
    await db.batchInsert('wx_save_form_id', rows, 150)
    expect((await assign()).permits).toBe(1700)
    expect(await wrongCounters(db)).toEqual([])
    expect(await assign()).toEqual({ permits: 0, duplicates: 0, counters: 0 })
  })

  test('never break the rules, whatever the account has', async () => {
    const { db } = database
    const row = fc.record({
      app_id: fc.constantFrom('', '', 'wxA', 'wxB'),
      user_id: fc.constantFrom(1, 2, 3),
      form_id: fc.constantFrom('a', 'A', 'b', 'c'),
      use_no: fc.constantFrom(1, 1, 2, 3),
      status: fc.constantFrom(0, 0, 1, 2),
    })
    const rows = fc.uniqueArray(row, {
      selector: (r) => `${r.app_id} ${r.form_id} ${r.use_no}`,
      maxLength: 25,
    })
    const ids = async () => (await readPermits(db)).map(({ id }) => id)
    await fc.assert(
      fc
        .asyncProperty(rows, async (all) => {
          for (const values of all) await db('wx_save_form_id').insert(permit('', values))
          for (const user_id of [1, 2, 3]) {
            const count = all.filter(
              (r) => r.app_id === 'wxA' && r.user_id === user_id && r.status === 0,
            ).length
            await db('wx_message_push_status').insert({ app_id: 'wxA', user_id, count })
          }
          const before = await ids()
          await assign()
          expect(await ids()).toEqual(before)
          const after = await readPermits(db)
          expect(after.filter(({ app_id }) => app_id === '')).toEqual([])
          expect((await wrongCounters(db)).filter((wrong) => JSON.stringify(wrong).includes('wxA/'))).toEqual(
            [],
          )
          const unspent = (status: number) =>
            all.filter((r) => r.app_id === 'wxA' && r.status === status).length
          expect(after.filter((r) => r.app_id === 'wxA' && r.status === 0).length).toBeGreaterThanOrEqual(
            unspent(0),
          )
        })
        .afterEach(() => emptyTables(db)),
      { numRuns: dialect === 'sqlite' ? 50 : 15 },
    )
  })

  test('rows without an account are found by an index, so that looking for them is cheap', async () => {
    if (dialect === 'sqlite') {
      const plan = await database.db.raw(
        "EXPLAIN QUERY PLAN SELECT id FROM wx_save_form_id WHERE app_id = '' LIMIT 500",
      )
      expect(JSON.stringify(plan)).toMatch(/SEARCH wx_save_form_id USING (COVERING )?INDEX/)
    } else {
      const plan = await database.db.raw("EXPLAIN SELECT id FROM wx_save_form_id WHERE app_id = '' LIMIT 500")
      expect(plan[0][0].type).toBe('ref')
    }
  })
})

describe('assigning on MySQL beside an ingest', { tags: ['mysql'] }, () => {
  test('keeps the counters exact', async () => {
    const { db, close } = await createTestDatabase('mysql')
    try {
      const rows = Array.from({ length: 2000 }, (_, n) => ({
        open_id: 'o',
        user_id: n % 50,
        form_id: `form-${n}`,
        expire: NOW,
      }))
      await db.batchInsert('wx_save_form_id', rows, 500)
      // Every tenth permit comes in a second time while the old ones are assigned.
      const ingest = async () => {
        for (let n = 0; n < 2000; n += 10)
          await inTransaction(db, async (trx) => {
            const user_id = n % 50
            const [result] = await trx.raw(
              "INSERT IGNORE INTO wx_save_form_id (app_id, open_id, user_id, form_id, expire) VALUES ('wxA', 'o', ?, ?, ?)",
              [user_id, `form-${n}`, NOW],
            )
            await trx.raw(
              `INSERT INTO wx_message_push_status (app_id, user_id, count) VALUES ('wxA', ?, ?)
               ON DUPLICATE KEY UPDATE count = count + VALUES(count)`,
              [user_id, result.affectedRows],
            )
          })
      }
      const [, one, other] = await Promise.all([
        ingest(),
        assignUnassigned(db, 'wxA', NOW),
        assignUnassigned(db, 'wxA', NOW),
      ])
      expect(one.permits + other.permits).toBe(2000)
      expect(await wrongCounters(db)).toEqual([])
      expect(
        await db('wx_save_form_id').where({ app_id: 'wxA', status: 0 }).countDistinct('form_id as n'),
      ).toEqual(await db('wx_save_form_id').where({ app_id: 'wxA', status: 0 }).count('* as n'))
    } finally {
      await close()
    }
  })
})
