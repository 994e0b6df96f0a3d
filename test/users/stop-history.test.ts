import type { Knex } from 'knex'
import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import * as stops from '../../src/users/stop-store.js'
import { changeUser } from '../../src/users/store.js'
import { dialects, useDatabase } from '../helpers/database.js'

const APP = 'wx1'
const PERSON = { appId: APP, openId: 'oOne' }
const BOUND = { ...PERSON, userId: 1 }
const REFUSED = { kind: 'opt_out', errcode: 43101, messageId: 5 } as const
const LISTED = { kind: 'block', errcode: 43019, messageId: 6 } as const

describe.each(dialects)('stops that are over, on %s', (dialect) => {
  const { db } = useDatabase(dialect)

  const inTrx = (work: (trx: Knex.Transaction) => Promise<unknown>) =>
    db.transaction(async (trx) => void (await work(trx)))
  const history = () =>
    selectRows(db, 'SELECT user_id, kind, errcode, began_at, ended_at FROM wx_stop_history ORDER BY id')
  const bind = (openId = 'oOne', userId: number | null = 1) =>
    db('wx_user').insert({ app_id: APP, open_id: openId, user_id: userId, created_at: 1, updated_at: 1 })
  const over = (kind: string, errcode: number | null, began_at: number, ended_at: number, user_id = 1) => ({
    user_id,
    kind,
    errcode,
    began_at,
    ended_at,
  })

  test('a stop that holds has no row', async () => {
    await inTrx((trx) => stops.recordStop(trx, BOUND, REFUSED, 100))
    expect(await history()).toEqual([])
  })

  test('a new consent ends a refusal', async () => {
    await inTrx((trx) => stops.recordStop(trx, BOUND, REFUSED, 100))
    await inTrx((trx) => stops.liftRefusal(trx, PERSON, 200))
    await inTrx((trx) => stops.liftRefusal(trx, PERSON, 300))
    expect(await history()).toEqual([over('opt_out', 43101, 100, 200)])
  })

  test('a follow ends a block with its code, and no other', async () => {
    await bind()
    await inTrx((trx) => stops.recordBlock(trx, { ...PERSON, errcode: 43004, at: 100 }, 101))
    await inTrx((trx) => stops.liftBlock(trx, { ...PERSON, errcode: 43019 }, 150))
    expect(await history()).toEqual([])
    await inTrx((trx) => stops.liftBlock(trx, { ...PERSON, errcode: 43004 }, 200))
    expect(await history()).toEqual([over('block', 43004, 100, 200)])
  })

  test('bringing a user back ends what each of the open_ids has', async () => {
    await bind('oTwo')
    await bind('oOther', 2)
    await inTrx((trx) => stops.recordStop(trx, BOUND, REFUSED, 100))
    await inTrx((trx) => stops.recordStop(trx, BOUND, LISTED, 110))
    await inTrx((trx) => stops.recordWish(trx, { appId: APP, openId: 'oTwo' }, 120))
    await inTrx((trx) => stops.recordWish(trx, { appId: APP, openId: 'oOther' }, 130))
    await inTrx((trx) => stops.liftAll(trx, { appId: APP, userId: 1 }, 200))
    expect(await history()).toEqual([
      // The code on record stood for the block.
      over('opt_out', null, 100, 200),
      over('opt_out', null, 120, 200),
      over('block', 43019, 110, 200),
    ])
  })

  test('a bulk bring-back ends the stops of its kind', async () => {
    await inTrx((trx) => stops.recordStop(trx, BOUND, REFUSED, 100))
    await inTrx((trx) => stops.liftStops(trx, APP, ['oOne', 'oNobody'], 'block', 150))
    expect(await history()).toEqual([])
  })

  test('a stop that takes the place of another one ends it, so that no time is left out', async () => {
    await inTrx((trx) => stops.recordStop(trx, BOUND, REFUSED, 100))
    await inTrx((trx) => stops.recordStop(trx, BOUND, { ...REFUSED, messageId: 7 }, 200))
    await inTrx((trx) => stops.recordOptOut(trx, { ...BOUND, errcode: 43101, at: 300 }, 310))
    // An older event changes nothing.
    await inTrx((trx) => stops.recordOptOut(trx, { ...BOUND, errcode: 43101, at: 250 }, 320))
    await inTrx((trx) => stops.recordWish(trx, { appId: APP, userId: 1 }, 400))
    // A wish stays, whatever WeChat says, and so does its time.
    await inTrx((trx) => stops.recordStop(trx, BOUND, REFUSED, 500))
    await inTrx((trx) => stops.recordWish(trx, { appId: APP, userId: 1 }, 600))
    await inTrx((trx) => stops.liftAll(trx, { appId: APP, userId: 1 }, 700))
    expect(await history()).toEqual([
      over('opt_out', 43101, 100, 200),
      over('opt_out', 43101, 200, 300),
      over('opt_out', 43101, 300, 400),
      over('opt_out', null, 400, 700),
    ])
  })

  test('a refusal of one open_id says nothing of the others of the user', async () => {
    await bind('oTwo')
    await inTrx((trx) => stops.recordStop(trx, { ...BOUND, openId: 'oTwo' }, REFUSED, 100))
    await inTrx((trx) => stops.recordStop(trx, BOUND, REFUSED, 200))
    expect(await history()).toEqual([])
  })

  test('a block that is replaced, and one of a person without a user', async () => {
    await bind()
    await bind('oNobody', null)
    for (const openId of ['oOne', 'oNobody'])
      for (const at of [100, 200])
        await inTrx((trx) => stops.recordBlock(trx, { appId: APP, openId, errcode: 43004, at }, at))
    expect(await history()).toEqual([over('block', 43004, 100, 200)])
  })

  test('for the user whom an open_id leaves, its stop ends', async () => {
    await inTrx((trx) => stops.recordStop(trx, BOUND, LISTED, 100))
    await inTrx((trx) => changeUser(trx, APP, 'oOne', 2, 200))
    expect(await history()).toEqual([over('block', 43019, 100, 200)])
    await inTrx((trx) => stops.liftAll(trx, { appId: APP, userId: 2 }, 300))
    expect((await history())[1]).toMatchObject({ user_id: 2, ended_at: 300 })
  })
})
