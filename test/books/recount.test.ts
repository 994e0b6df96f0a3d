import { describe, expect, test } from 'vitest'
import { recountCounter } from '../../src/books/index.js'
import { inTransaction } from '../../src/db/transaction.js'
import { createIngest, type Ingest } from '../../src/permits/ingest.js'
import { APP_ID, NOW, TODAY } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { addPermits, counts, openPool } from '../helpers/rows.js'

describe.each(dialects)('a recount on %s', (dialect) => {
  const database = useDatabase(dialect)
  const { db } = database

  const recount = (userId: number, on = db) =>
    inTransaction(on, (trx) => recountCounter(trx, APP_ID, userId, NOW))

  test('counts the unspent permits of the user in the account, and leaves the last day', async () => {
    await addPermits(db, [
      { user_id: 1 },
      { user_id: 1 },
      { user_id: 1, status: 1 },
      { user_id: 1, status: 2 },
      { user_id: 1, app_id: 'wxB' },
      { user_id: 2 },
    ])
    await db('wx_message_push_status').update({ count: 9, last_date: TODAY })
    await recount(1)
    expect(await counts(db)).toEqual({ 1: 2, 2: 9 })
    expect(await db('wx_message_push_status').where({ app_id: APP_ID, user_id: 1 }).first()).toMatchObject({
      last_date: TODAY,
      updated_at: NOW,
    })
  })

  test('makes the counter of a user who has none', async () => {
    await addPermits(db, [{ user_id: 1 }, { user_id: 1 }])
    await db('wx_message_push_status').delete()
    await recount(1)
    expect(await counts(db)).toEqual({ 1: 2 })
  })

  test('sets the counter of a user without permits to 0', async () => {
    await db('wx_message_push_status').insert({ app_id: APP_ID, user_id: 1, count: 3 })
    await recount(1)
    expect(await counts(db)).toEqual({ 1: 0 })
  })

  test('a recount beside uploads of the same user loses none of them', async () => {
    await addPermits(db, [{ user_id: 1 }])
    const pools = [openPool(database), openPool(database)]
    const [ingest] = pools.map((db) => createIngest(db)) as [Ingest]
    const uploads = async () => {
      for (let n = 0; n < 60; n++) {
        const item = {
          appId: APP_ID,
          openId: 'o1',
          userId: 1,
          source: 'form' as const,
          page: undefined,
          submittedAt: undefined,
        }
        await ingest.upload([{ ...item, formId: `form-${n}` }], NOW)
      }
    }
    const recounts = async () => {
      for (let n = 0; n < 60; n++) await recount(1, pools[1])
    }
    await Promise.all([uploads(), recounts()])
    await Promise.all(pools.map((pool) => pool.destroy()))
    expect(await counts(db)).toEqual({ 1: 61 })
  })
})
