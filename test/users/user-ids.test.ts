import { afterAll, describe, expect, test } from 'vitest'
import { inTransaction } from '../../src/db/transaction.js'
import { MAX_USER_ID, type UserId } from '../../src/lib/user-id.js'
import { recordStop } from '../../src/users/stop-store.js'
import { bindUser, bindUsers, type Numbering, userIdOf, userIdsOf } from '../../src/users/user-ids.js'
import { APP_ID, NOW } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { addPermits, openPool } from '../helpers/rows.js'

const AUTO: Numbering = { appId: APP_ID, channel: 'form_id', userIds: 'auto' }
const BACKEND: Numbering = { appId: APP_ID, channel: 'form_id', userIds: 'backend' }

describe.each(dialects)('user ids on %s', (dialect) => {
  const database = useDatabase(dialect)
  const { db } = database
  const others = [openPool(database), openPool(database)]
  const pools = [db, ...others]
  afterAll(() => Promise.all(others.map((pool) => pool.destroy())))

  const idOf = (account: Numbering, openId: string, pool = db) =>
    inTransaction(pool, (trx) => userIdOf(trx, account, openId, NOW))
  const bind = (openId: string, userId: UserId, pool = db) =>
    inTransaction(pool, (trx) => bindUser(trx, BACKEND, { openId, userId }, NOW))
  const bindings = async () =>
    Object.fromEntries((await db('wx_user')).map(({ open_id, user_id }) => [open_id, user_id]))

  describe('of an owner’s backend', () => {
    test('user ids of an owner’s backend are unknown until an open_id is bound, and looking changes nothing', async () => {
      expect(await idOf(BACKEND, 'oA')).toBeUndefined()
      expect(await bindings()).toEqual({})
      await bind('oA', 17)
      expect(await idOf(BACKEND, 'oA')).toBe(17)
    })

    test('user ids of an owner’s backend may be bound again, which changes nothing', async () => {
      await bind('oA', 17)
      const before = await db('wx_user')
      await inTransaction(db, (trx) => bindUser(trx, BACKEND, { openId: 'oA', userId: 17 }, NOW + 5_000))
      expect(await db('wx_user')).toEqual(before)
    })

    test('user ids of an owner’s backend stay as they are when a second user claims the open_id', async () => {
      await bind('oA', 17)
      await expect(bind('oA', 18)).rejects.toMatchObject({ code: 'conflict' })
      expect(await bindings()).toEqual({ oA: 17 })
    })

    test('user ids of an owner’s backend may have several open_ids', async () => {
      await bind('oA', 17)
      await bind('oB', 17)
      expect(await bindings()).toEqual({ oA: 17, oB: 17 })
    })

    test('user ids of an owner’s backend are told apart by account', async () => {
      await bind('oA', 17)
      expect(await idOf({ ...BACKEND, appId: 'wxB' }, 'oA')).toBeUndefined()
    })

    test('bind a row that a login or a stop left without one, and keep the rest of it', async () => {
      const row = {
        app_id: APP_ID,
        open_id: 'oA',
        union_id: 'U',
        blocked_at: 5,
        created_at: 1,
        updated_at: 1,
      }
      await db('wx_user').insert(row)
      expect(await idOf(BACKEND, 'oA')).toBeUndefined()
      await bind('oA', 17)
      expect(await db('wx_user')).toMatchObject([{ ...row, user_id: 17, updated_at: NOW }])
    })

    test('user ids of an owner’s backend go to one of those who claim an open_id at the same moment, and the others are told', async () => {
      const claims = Array.from({ length: 12 }, (_, i) => bind('oA', 100 + i, pools[i % pools.length]))
      const ends = await Promise.allSettled(claims)
      const won = ends.flatMap(({ status }, i) => (status === 'fulfilled' ? [100 + i] : []))
      expect(await bindings()).toEqual({ oA: won[0] })
      expect(won).toHaveLength(1)
      for (const end of ends)
        if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'conflict' })
    })

    test('user ids of an owner’s backend are bound for a batch by the first item that names the open_id', async () => {
      const batch = [
        { openId: 'oB', userId: 2 },
        { openId: 'oA', userId: 1 },
        { openId: 'oB', userId: 3 },
      ]
      const users = await inTransaction(db, (trx) => bindUsers(trx, APP_ID, batch, NOW))
      expect(Object.fromEntries(users)).toEqual({ oA: 1, oB: 2 })
      expect(await bindings()).toEqual({ oA: 1, oB: 2 })
    })
  })

  describe('allotted here', () => {
    test('user ids allotted here are counted up from 1, and stay with their open_id', async () => {
      expect([await idOf(AUTO, 'oA'), await idOf(AUTO, 'oB'), await idOf(AUTO, 'oA')]).toEqual([1, 2, 1])
      expect(await bindings()).toEqual({ oA: 1, oB: 2 })
    })

    test('user ids for a batch are allotted at once, each new open_id one', async () => {
      await idOf(AUTO, 'oA')
      const users = await inTransaction(db, (trx) => userIdsOf(trx, AUTO, ['oB', 'oA', 'oC', 'oB'], NOW))
      expect(Object.fromEntries(users)).toEqual({ oA: 1, oB: 2, oC: 3 })
    })

    test('user ids allotted here of fifty new open_ids at once are fifty different ones', async () => {
      const openIds = Array.from({ length: 50 }, (_, i) => `o${i}`)
      const ids = await Promise.all(openIds.map((openId, i) => idOf(AUTO, openId, pools[i % pools.length])))
      expect(new Set(ids).size).toBe(50)
      expect(await bindings()).toEqual(Object.fromEntries(openIds.map((openId, i) => [openId, ids[i]])))
    })

    test('user ids allotted here of one new open_id that comes twenty times at once are one', async () => {
      const ids = await Promise.all(
        Array.from({ length: 20 }, (_, i) => idOf(AUTO, 'oA', pools[i % pools.length])),
      )
      expect(new Set(ids)).toEqual(new Set([1]))
      expect(await bindings()).toEqual({ oA: 1 })
    })

    const traces: [table: string, leave: (userId: number) => Promise<unknown>][] = [
      ['wx_user', (userId) => bind(`o${userId}`, userId)],
      ['wx_save_form_id', (userId) => addPermits(db, [{ user_id: userId, status: 2 }])],
      [
        'wx_message_push_status',
        (userId) => db('wx_message_push_status').insert({ app_id: APP_ID, user_id: userId, count: 0 }),
      ],
      [
        'wx_sign_in',
        (userId) =>
          db('wx_sign_in').insert({
            app_id: APP_ID,
            user_id: userId,
            day: 20261119,
            streak: 1,
            created_at: 1,
          }),
      ],
    ]

    test.each(traces)(
      'user ids allotted here follow all numbers that %s knew at the start',
      async (_, leave) => {
        await leave(7)
        await leave(3)
        expect(await idOf(AUTO, 'oNew')).toBe(8)
      },
    )

    test.each(traces)('pass over numbers that %s came to know later', async (_, leave) => {
      await idOf(AUTO, 'oNew1')
      for (const userId of [2, 3, 9]) await leave(userId)
      expect(await idOf(AUTO, 'oNew2')).toBe(10)
    })

    test('user ids allotted here do not run out when a row has the largest number there is', async () => {
      await bind('oMax', Number.MAX_SAFE_INTEGER)
      await bind('oSnowflake', MAX_USER_ID)
      expect([await idOf(AUTO, 'oA'), await idOf(AUTO, 'oB')]).toEqual([1, 2])
    })

    test('user ids allotted here go around single numbers at the end of their range', async () => {
      await bind('oLast', 2 ** 52)
      await bind('oNext', 2 ** 52 + 2)
      expect([await idOf(AUTO, 'oA'), await idOf(AUTO, 'oB')]).toEqual([2 ** 52 + 1, 2 ** 52 + 3])
    })

    test('take no notice of other accounts', async () => {
      await addPermits(db, [{ app_id: 'wxB', user_id: 40 }])
      expect(await idOf(AUTO, 'oA')).toBe(1)
      expect(await idOf({ ...AUTO, appId: 'wxB' }, 'oA')).toBe(41)
    })

    test('user ids allotted here are not lost when the transaction is: the next user gets the number', async () => {
      const failed = inTransaction(db, async (trx) => {
        await userIdOf(trx, AUTO, 'oA', NOW)
        throw new Error('the caller failed')
      })
      await expect(failed).rejects.toThrow('the caller failed')
      expect(await idOf(AUTO, 'oB')).toBe(1)
      expect(await bindings()).toEqual({ oB: 1 })
    })
  })

  test('a stop of a person who had logged in without a user is found under the user', async () => {
    await db('wx_user').insert({ app_id: APP_ID, open_id: 'oA', created_at: 1, updated_at: 1 })
    const person = { appId: APP_ID, openId: 'oA', userId: 17 }
    await inTransaction(db, (trx) =>
      recordStop(trx, person, { kind: 'opt_out', errcode: 43101, messageId: 1 }, NOW),
    )
    expect(await db('wx_user')).toMatchObject([{ user_id: 17, opted_out_at: NOW, stop_errcode: 43101 }])
  })
})
