import { describe, expect, test } from 'vitest'
import { openAllCounters, openCounters } from '../../src/books/index.js'
import { inTransaction } from '../../src/db/transaction.js'
import { APP_ID, NOW } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { counts } from '../helpers/rows.js'

describe.each(dialects)('opening counters on %s', (dialect) => {
  const { db } = useDatabase(dialect)

  const bind = (userId: number | bigint | null, openId: string, appId = APP_ID) =>
    db('wx_user').insert({ app_id: appId, open_id: openId, user_id: userId, created_at: 1, updated_at: 1 })

  test('opens those that are missing, and leaves the others as they are', async () => {
    await db('wx_message_push_status').insert({ app_id: APP_ID, user_id: 2, count: 5, last_date: 20_261_119 })
    await inTransaction(db, (trx) => openCounters(trx, APP_ID, [1, 2, 3], NOW))
    await inTransaction(db, (trx) => openCounters(trx, APP_ID, [1, 2, 3], NOW + 1))
    expect(await counts(db)).toEqual({ 1: 0, 2: 5, 3: 0 })
    expect(await db('wx_message_push_status').where({ user_id: 2 }).first()).toMatchObject({
      last_date: 20_261_119,
    })
    expect(await db('wx_message_push_status').where({ user_id: 1 }).first()).toMatchObject({
      last_date: 0,
      updated_at: NOW,
    })
  })

  test('opens those of everybody known, page by page, once for several open_ids, and of nobody else', async () => {
    const people = Array.from({ length: 4_500 }, (_, i) => ({
      app_id: APP_ID,
      open_id: `o${i}`,
      user_id: Math.floor(i / 2),
      created_at: 1,
      updated_at: 1,
    }))
    for (let from = 0; from < people.length; from += 150)
      await db('wx_user').insert(people.slice(from, from + 150))
    await bind(null, 'stranger')
    await bind(9, 'other', 'wx-another')
    await bind(9_007_199_254_740_993n, 'large')
    await db('wx_message_push_status').insert({ app_id: APP_ID, user_id: 7, count: 1 })
    expect(await openAllCounters(db, APP_ID, NOW)).toBe(2_250)
    expect(await openAllCounters(db, APP_ID, NOW)).toBe(0)
    const opened = await counts(db)
    expect(Object.keys(opened)).toHaveLength(2_251)
    expect(opened[7]).toBe(1)
    expect(await counts(db, 'wx-another')).toEqual({})
  })

  test('a thousand persons of one user are one counter, and hold up no page', async () => {
    for (let from = 0; from < 2_500; from += 100)
      await db('wx_user').insert(
        Array.from({ length: 100 }, (_, i) => ({
          app_id: APP_ID,
          open_id: `o${from + i}`,
          user_id: 1,
          created_at: 1,
          updated_at: 1,
        })),
      )
    await bind(2, 'last')
    expect(await openAllCounters(db, APP_ID, NOW)).toBe(2)
    expect(await counts(db)).toEqual({ 1: 0, 2: 0 })
  })

  test('two processes at once open each counter once', async () => {
    for (let i = 0; i < 50; i++) await bind(i, `o${i}`)
    await Promise.all([openAllCounters(db, APP_ID, NOW), openAllCounters(db, APP_ID, NOW)])
    expect(Object.keys(await counts(db))).toHaveLength(50)
  })
})
