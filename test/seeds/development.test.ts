import { describe, expect, test } from 'vitest'
import { seed } from '../../seeds/development.js'
import { dialects, emptyTables, useDatabase } from '../helpers/database.js'
import { readCounters, readPermits, wrongCounters } from '../migrations/old-tables.js'

describe.each(dialects)('the sample rows on %s', (dialect) => {
  const database = useDatabase(dialect, { keepRows: true })

  test('the sample rows are the same the second time, with exact counters', async () => {
    const { db } = database
    const state = async () => ({
      permits: (await readPermits(db)).map((row) => ({ ...row, id: 0 })),
      counters: (await readCounters(db)).map((row) => ({ ...row, id: 0 })),
      users: await db('wx_user').orderBy('open_id'),
      signIns: await db('wx_sign_in').orderBy(['user_id', 'day']),
    })
    await seed(db)
    const first = await state()
    expect(await wrongCounters(db)).toEqual([])
    expect(first.permits.filter(({ status }) => status === 0).length).toBeGreaterThan(5)
    await db('wx_save_form_id').where({ status: 0 }).update({ status: 1 })
    await seed(db)
    expect(await state()).toEqual(first)
  })

  test.each([
    ['wx_save_form_id', { open_id: 'oReal', user_id: 5, form_id: 'F', expire: 1 }],
    ['wx_message_push_status', { user_id: 5 }],
  ])('are refused beside real rows in %s', async (table, row) => {
    const { db } = database
    await emptyTables(db)
    await db(table).insert(row)
    await expect(seed(db)).rejects.toThrow(`${table} has rows that are not the seed's`)
    expect(await db('wx_user').count('* as n').first()).toEqual({ n: 0 })
  })
})
