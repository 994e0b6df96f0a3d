import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { emptyTally } from '../../src/messages/tally.js'
import { retryFailed } from '../../src/reminders/retry.js'
import { liftAll } from '../../src/users/stop-store.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, OFFICIAL_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { openIdOf, user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const OFFICIAL = { channel: 'official' } as const

/** What WeChat's answers mean to a service account. */
describe.each(dialects)('answers to a service account on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })
  const remind = () => world.startProcess().remind({ account: OFFICIAL })
  const official = () => ({ ...world.account, ...OFFICIAL })

  function answers(
    errcode: number,
    { userId, ...more }: { userId?: number; times?: number; after?: number },
  ) {
    const openId = userId === undefined ? {} : { open_id: openIdOf(userId) }
    world.wechat.addFault({ kind: 'errcode', errcode, match: { path: OFFICIAL_PATH, ...openId }, ...more })
  }
  const stateOf = async (userId: number) =>
    (await world.messages()).filter(({ user_id }) => user_id === userId).map(({ state }) => state)

  test.each([43004, 43019, 48002])(
    '%i stops one person and nobody else, on the days after as well',
    async (errcode) => {
      await world.has(users(1, 4).following())
      answers(errcode, { userId: 2 })
      expect(await remind()).toMatchObject({ state: 'done', delivered: 3, failed: 1 })
      expect(await world.db('wx_user').where({ user_id: 2 }).first()).toMatchObject({
        blocked_at: expect.any(Number),
        stop_errcode: errcode,
      })
      world.clock.advance(DAY_MS)
      expect(await remind()).toMatchObject({ state: 'done', due: 3, delivered: 3 })
    },
  )

  test('a person who is brought back is reminded on the same day by retry', async () => {
    await world.has(users(1, 3).following())
    answers(48002, { userId: 2, times: 1 })
    await remind()
    const { signal } = new AbortController()
    const retry = () => retryFailed(world.db, official(), {}, world.clock.now(), signal)
    expect(await retry()).toMatchObject({ retried: 0, stopped: 1, without_permit: 0 })
    await world.db.transaction((trx) =>
      liftAll(trx, { appId: world.account.appId, userId: 2 }, world.clock.now()),
    )
    expect(await retry()).toMatchObject({ retried: 1, stopped: 0 })
    expect(await world.counterOf(2)).toEqual({ count: 0, last_date: 0 })
    expect(await remind()).toMatchObject({ state: 'done', delivered: 1 })
    expect(await stateOf(2)).toEqual(['cancelled', 'delivered'])
  })

  test('40003 fails for that day only: the person may follow again', async () => {
    await world.has(users(1, 2).following())
    answers(40003, { userId: 1, times: 1 })
    expect(await remind()).toMatchObject({ state: 'done', delivered: 1, failed: 1 })
    world.clock.advance(DAY_MS)
    expect(await remind()).toMatchObject({ delivered: 2 })
  })

  test.each([
    [43116, 'banned'],
    [40037, 'template'],
    [40036, 'template'],
    [48001, 'API'],
  ])('%i before anything was accepted halts the run, and gives all back', async (errcode, says) => {
    await world.has(users(1, 5).following())
    answers(errcode, {})
    expect(await remind()).toMatchObject({ state: 'halted', reason: expect.stringContaining(says) })
    for (const userId of [1, 2, 3, 4, 5])
      expect(await world.counterOf(userId)).toEqual({ count: 0, last_date: 0 })
    world.wechat.clearFaults()
    expect(await remind()).toMatchObject({ state: 'done', delivered: 5 })
  })

  test('a single late 40037, which comes and goes, does not halt a run', async () => {
    await world.has(users(1, 20).following())
    answers(40037, { userId: 15, times: 1 })
    expect(await remind()).toMatchObject({ state: 'done', delivered: 19, cancelled: 1 })
    expect(await remind()).toMatchObject({ state: 'done', delivered: 1 })
  })

  test('43117 puts one person off for an hour, while everybody else is reminded at full pace', async () => {
    await world.has(users(1, 12).following())
    for (let id = 1; id <= 7; id++) answers(43117, { userId: id })
    const process = world.startProcess()
    expect(await process.remind({ account: OFFICIAL })).toMatchObject({
      state: 'done',
      delivered: 5,
      retrying: 7,
    })
    world.clock.advance(HOUR_MS - MINUTE_MS)
    expect(await process.recover(OFFICIAL)).toEqual(emptyTally())
    world.wechat.clearFaults()
    world.clock.advance(MINUTE_MS)
    expect(await process.recover(OFFICIAL)).toEqual({ ...emptyTally(), delivered: 7 })
  })

  test('43117 all day long is given up and given back in the afternoon, without a word of an outage', async () => {
    await world.has(users(1, 7).following())
    answers(43117, {})
    const process = world.startProcess()
    expect(await process.remind({ account: OFFICIAL })).toMatchObject({ state: 'done', retrying: 7 })
    for (let hour = 1; hour <= 5; hour++) {
      world.clock.advance(HOUR_MS)
      await process.recover(OFFICIAL)
    }
    expect(await stateOf(1)).toEqual(['cancelled'])
    expect(await world.counterOf(1)).toEqual({ count: 0, last_date: 0 })
  })

  test('40241 says that WeChat has the message: delivered', async () => {
    await world.has(user(1).following())
    world.wechat.addFault({ kind: 'cut_after', times: 1, match: { path: OFFICIAL_PATH } })
    answers(40241, { times: 1 })
    expect(await remind()).toMatchObject({ delivered: 1 })
    expect(world.wechat.ledger()).toHaveLength(1)
    expect(await world.messages()).toMatchObject([{ state: 'delivered', errcode: 40241 }])
  })

  test('-1 in a burst is tried again, and costs nobody a reminder', async () => {
    await world.has(users(1, 60).following())
    answers(-1, { after: 10, times: 30 })
    expect(await remind()).toMatchObject({ state: 'done', delivered: 60 })
    expect(world.wechat.ledger()).toHaveLength(60)
  })

  test('45009 pauses the run and gives the rest back', async () => {
    await world.has(users(1, 60).following())
    answers(45009, { after: 20 })
    expect(await remind()).toMatchObject({ state: 'paused', delivered: 20 })
    world.wechat.clearFaults()
    expect(await remind()).toMatchObject({ state: 'done', delivered: 40 })
  })

  test('an outage of hours leaves unknown what nobody could ask about within ten minutes, and delivers nothing twice', async () => {
    await world.has(users(1, 40).following())
    world.wechat.addFault({ kind: 'cut_after', match: { path: OFFICIAL_PATH } })
    await remind()
    for (let hour = 0; hour < 3; hour++) {
      world.clock.advance(HOUR_MS)
      await world.startProcess().recover(OFFICIAL)
    }
    world.wechat.clearFaults()
    expect(await remind()).toMatchObject({ state: 'done' })
    await execute(world.db, 'UPDATE wx_message_retry SET next_attempt_at = 0')
    await world.startProcess().recover(OFFICIAL)
    expect(world.wechat.summary().repeats).toEqual([])
    expect(world.wechat.ledger()).toHaveLength(40)
    const states = (await world.messages()).filter(({ state }) => state !== 'cancelled')
    expect(states).toHaveLength(40)
    expect(states.every(({ state }) => state === 'delivered' || state === 'unknown')).toBe(true)
  })
})
