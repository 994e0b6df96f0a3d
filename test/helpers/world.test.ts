import { afterEach, describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { NOW } from './constants.js'
import { createTestDatabase, dialects, useDatabase } from './database.js'
import { useService } from './service.js'
import { user } from './users.js'
import { createWorld, useWorld } from './world.js'

describe.each(dialects)('helpers on %s', (dialect) => {
  describe('a database in use', () => {
    const { db } = useDatabase(dialect)

    test.each([1, 2])('a database in use is empty before each test (%i)', async () => {
      expect(await db('wx_sign_in')).toEqual([])
      await db('wx_sign_in').insert({ app_id: 'wx', user_id: 1, day: 20_261_120, streak: 1, created_at: 1 })
      expect(await db('wx_sign_in')).toHaveLength(1)
    })
  })

  describe('a database whose rows are kept', () => {
    const { db } = useDatabase(dialect, { keepRows: true })

    test.each([0, 1])('a database whose rows are kept has what the test before left (%i)', async (rows) => {
      expect(await db('wx_sign_in')).toHaveLength(rows)
      await db('wx_sign_in').insert({
        app_id: 'wx',
        user_id: rows,
        day: 20_261_120,
        streak: 1,
        created_at: 1,
      })
    })
  })

  describe('a world in use', () => {
    const world = useWorld(dialect, { leaves: 'sound books' })

    test.each([1, 2])(
      'a world in use is ten o’clock without a user at the start of each test (%i)',
      async () => {
        expect(world.clock.now()).toBe(NOW)
        expect(await world.messages()).toEqual([])
        await world.has(user(1).permits(1))
        expect(await world.startProcess().remind()).toMatchObject({ state: 'done', delivered: 1 })
        expect(world.reminded()).toEqual([1])
        world.clock.advance(1_000)
      },
    )
  })

  describe('a world that may be left as it is', () => {
    const world = useWorld(dialect, { leaves: 'anything' })
    // Runs before the world's own look.
    afterEach(() => expect(world.expectAuditClean()).rejects.toThrow())

    test('a world that may be left as it is is not looked at after a test', async () => {
      await world.has(user(1).permits(2))
      await execute(world.db, 'UPDATE wx_message_push_status SET count = 9')
    })
  })

  test('a world tells books that are not in order, and a delivery that WeChat knows nothing of', async () => {
    const database = await createTestDatabase(dialect)
    const world = await createWorld(dialect, { database })
    try {
      await world.has(user(1).permits(1))
      const send = async () => ({ kind: 'accepted' }) as const
      expect(await world.startProcess({ send }).remind()).toMatchObject({ delivered: 1 })
      await world.expectAuditClean()
      await expect(world.expectSound()).rejects.toMatchObject({
        actual: { notDelivered: [expect.any(String)] },
      })
      await execute(world.db, 'UPDATE wx_message_push_status SET count = 9')
      await expect(world.expectAuditClean()).rejects.toThrow()
    } finally {
      await world.close()
      await database.close()
    }
  })

  describe('a service in use', () => {
    const service = useService(dialect, { now: () => NOW })

    test.each([1, 2])('answers, from empty tables at the start of each test (%i)', async () => {
      expect(await service.db('wx_sign_in')).toEqual([])
      expect(await service.post('/v1/sign-ins', { user_id: 1 })).toMatchObject({ status: 201 })
      expect(await service.db('wx_sign_in')).toHaveLength(1)
    })
  })
})
