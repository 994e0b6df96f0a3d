import { afterAll, describe, expect, test } from 'vitest'
import { recordSignIn } from '../../src/sign-ins/sign-in.js'
import { APP_ID, NOW } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { openPool } from '../helpers/rows.js'

describe.each(dialects)('sign-ins on %s', (dialect) => {
  const database = useDatabase(dialect)
  const { db } = database
  const pools = [openPool(database), openPool(database)] as const
  afterAll(() => Promise.all(pools.map((pool) => pool.destroy())))

  const signIn = (day: number, { userId = 1, appId = APP_ID, on = db } = {}) =>
    recordSignIn(on, { appId, userId, day }, NOW)
  const streaks = async (userId = 1) => {
    const rows = await db('wx_sign_in').where({ app_id: APP_ID, user_id: userId }).orderBy('day')
    return Object.fromEntries(rows.map(({ day, streak }) => [day, streak]))
  }

  test('sign-ins on consecutive days count up, over the ends of months and years', async () => {
    expect([await signIn(20251230), await signIn(20251231), await signIn(20260101)]).toEqual([1, 2, 3])
  })

  test('sign-ins after a day without start again', async () => {
    await signIn(20261118)
    expect(await signIn(20261120)).toBe(1)
  })

  test('sign-ins that come again change nothing and answer the same', async () => {
    await signIn(20261119)
    expect([await signIn(20261120), await signIn(20261120), await signIn(20261119)]).toEqual([2, 2, 1])
    expect(await streaks()).toEqual({ 20261119: 1, 20261120: 2 })
  })

  test('sign-ins that come late join the days around them', async () => {
    for (const day of [20261117, 20261118, 20261120, 20261121, 20261123]) await signIn(day)
    expect(await signIn(20261119)).toBe(3)
    expect(await streaks()).toEqual({
      20261117: 1,
      20261118: 2,
      20261119: 3,
      20261120: 4,
      20261121: 5,
      20261123: 1,
    })
  })

  test('sign-ins that come before all others make those follow', async () => {
    await signIn(20261120)
    expect(await signIn(20261119)).toBe(1)
    expect(await streaks()).toEqual({ 20261119: 1, 20261120: 2 })
  })

  test('sign-ins of a day whose row is gone, and that a later streak counts in, leave that streak as it is', async () => {
    for (const day of [20261116, 20261117, 20261118, 20261119, 20261120]) await signIn(day)
    await db('wx_sign_in').where('day', '<', 20261119).delete()
    expect(await signIn(20261117)).toBe(2)
    expect(await streaks()).toEqual({ 20261117: 2, 20261119: 4, 20261120: 5 })
    expect(await signIn(20261118)).toBe(3)
    expect(await signIn(20261115)).toBe(1)
    expect(await streaks()).toEqual({ 20261115: 1, 20261117: 2, 20261118: 3, 20261119: 4, 20261120: 5 })
  })

  test('sign-ins of other users and accounts are theirs', async () => {
    await signIn(20261119, { userId: 2 })
    await signIn(20261119, { appId: 'wxB' })
    expect(await signIn(20261120)).toBe(1)
  })

  test('sign-ins on neighbouring days that two processes record at once are counted right', async () => {
    const [one, other] = pools
    for (let userId = 1; userId <= 25; userId++) {
      const answers = await Promise.all([
        signIn(20261118, { userId, on: one }),
        signIn(20261119, { userId, on: other }),
        signIn(20261120, { userId, on: one }),
      ])
      expect(answers[0]).toBe(1)
      expect(await streaks(userId)).toEqual({ 20261118: 1, 20261119: 2, 20261120: 3 })
    }
  })

  test('sign-ins of one day in two processes are one', async () => {
    const [one, other] = pools
    for (let userId = 1; userId <= 15; userId++) {
      await signIn(20261119, { userId })
      const both = [signIn(20261120, { userId, on: one }), signIn(20261120, { userId, on: other })]
      expect(await Promise.all(both)).toEqual([2, 2])
    }
  })
})
