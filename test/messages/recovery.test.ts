import { describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { takeOver } from '../../src/messages/recovery.js'
import { settleBatch } from '../../src/messages/settle.js'
import { emptyTally } from '../../src/messages/tally.js'
import { windowEnd } from '../../src/messages/window.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

test.each([
  ['Asia/Shanghai', '2026-11-20T22:00:00+08:00'],
  ['America/New_York', '2026-11-20T22:00:00-05:00'],
  ['Asia/Kathmandu', '2026-11-20T22:00:00+05:45'],
])('the window closes at ten in the evening in %s', (timezone, at) => {
  const window = { appId: 'wx1', timezone, sendUntil: { hour: 22, minute: 0 } }
  expect(windowEnd(window, TODAY)).toBe(Date.parse(at))
})

describe.each(dialects)('recovery on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })

  const takeAll = async () => {
    const limits = { limit: 100, leaseMs: 15_000, now: world.clock.now() }
    return (await takeOver(world.db, world.account, limits)).messages
  }

  async function retryIn(afterMs: number, maybeSent: boolean): Promise<void> {
    const outcomes = (await claimAll(world)).map((message) => ({
      message,
      verdict: { kind: 'retry', afterMs, maybeSent } as const,
      answer: { errcode: -1, errmsg: 'busy', rid: null, msgid: null },
      attempted: true,
    }))
    await settleBatch(world.db, outcomes, world.clock.now())
  }

  const setChannel = (channel: string) => execute(world.db, 'UPDATE wx_card SET channel = ?', [channel])

  test('takes over what a dead process had in hand, with the same permit, and sends it once', async () => {
    await world.has(users(1, 20).permits(2))
    const claimed = await claimAll(world)
    const process = world.startProcess()
    expect(await process.recover()).toEqual(emptyTally())
    await world.lapseLeases()
    expect(await process.recover()).toMatchObject({ delivered: 20 })
    expect(
      world.wechat
        .ledger()
        .map(({ form_id }) => form_id)
        .sort(),
    ).toEqual(claimed.map(({ formId }) => formId).sort())
    for (const message of await world.messages()) {
      expect(message).toMatchObject({ state: 'delivered', attempts: 2 })
    }
  })

  test('finds out that a lost attempt was the delivery, and spends no second permit', async () => {
    await world.has(user(1).permits(2))
    const message = await claimOne(world)
    // The dead process had sent it and never saw the answer.
    await world.startProcess().send(message)
    await world.lapseLeases()
    expect(await world.startProcess().recover()).toMatchObject({ delivered: 1 })
    expect(world.reminded()).toEqual([1])
    expect((await world.permitsOf(1)).map(({ status, errcode }) => ({ status, errcode }))).toEqual([
      { status: 1, errcode: null },
      { status: 0, errcode: null },
    ])
  })

  test('a taken-over message may have been sent; a retry is what it was', async () => {
    await world.has(users(1, 2).permits(1))
    await claimAll(world)
    await world.lapseLeases()
    for (const message of await takeAll()) expect(message).toMatchObject({ maybeSent: true, attempts: 1 })
    await world.reset()
    await world.has(user(1).permits(1))
    await retryIn(0, false)
    expect(await takeAll()).toMatchObject([{ maybeSent: false, attempts: 1 }])
  })

  test('a retry is taken when it is due and not before', async () => {
    await world.has(user(1).permits(1))
    await retryIn(60_000, false)
    world.clock.advance(59_999)
    expect(await takeAll()).toEqual([])
    world.clock.advance(1)
    expect(await takeAll()).toHaveLength(1)
  })

  test('recovery gives each message to one of two processes that look at once', async () => {
    await world.has(users(1, 100).permits(1))
    await claimAll(world)
    await world.lapseLeases()
    const processes = [world.startProcess(), world.startProcess(), world.startProcess()]
    const options = { limit: 40, leaseMs: 15_000, now: world.clock.now() }
    const taken = await Promise.all(processes.map(({ db }) => takeOver(db, world.account, options)))
    const ids = taken.flatMap(({ messages }) => messages).map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    await Promise.all(processes.map((process) => process.recover()))
    expect(ids.length + world.reminded().length).toBe(100)
  })

  test('takes only messages of its own account', async () => {
    await world.has(user(1).permits(1))
    await claimOne(world)
    await world.lapseLeases()
    const other = { ...world.account, appId: 'wxOther' }
    const limits = { limit: 10, leaseMs: 15_000, now: world.clock.now() }
    expect(await takeOver(world.db, other, limits)).toMatchObject({ messages: [], taken: 0 })
    expect(await takeAll()).toHaveLength(1)
  })

  describe('after the window has closed', () => {
    test('what was surely not sent is given back', async () => {
      await world.has(
        users(1, 3)
          .permitFor(DAY_MS)
          .permitFor(2 * DAY_MS),
      )
      const before = await world.books()
      await retryIn(0, false)
      world.clock.advance(12 * HOUR_MS)
      expect(await world.startProcess().recover()).toEqual({ ...emptyTally(), cancelled: 3 })
      expect(await world.books()).toEqual(before)
      expect(world.sends()).toBe(0)
    })

    test('what may have been sent becomes unknown and keeps its permit spent', async () => {
      await world.has(user(1).permits(2))
      await claimOne(world)
      await world.lapseLeases()
      world.clock.advance(12 * HOUR_MS)
      expect(await world.startProcess().recover()).toEqual({ ...emptyTally(), unknown: 1 })
      expect(await world.messages()).toMatchObject([
        { state: 'unknown', maybe_sent: 1, business_date: TODAY },
      ])
      expect(await world.counterOf(1)).toEqual({ count: 1, last_date: TODAY })
      expect(world.sends()).toBe(0)
    })

    test('one moment before, it is still sent', async () => {
      await world.has(user(1).permits(1))
      await claimOne(world)
      await world.lapseLeases()
      world.clock.advance(12 * HOUR_MS - 1)
      expect(await world.startProcess().recover()).toMatchObject({ delivered: 1 })
    })
  })

  test.each([
    ['subscribe', 0],
    ['official', 10],
  ])(
    'on the channel %s a broken attempt is not repeated after %i minutes, and becomes unknown',
    async (channel, minutes) => {
      await world.has(user(1).permits(1))
      await claimOne(world)
      await setChannel(channel)
      await world.lapseLeases()
      world.clock.advance(minutes * MINUTE_MS)
      expect(await world.startProcess().recover()).toEqual({ ...emptyTally(), unknown: 1 })
      expect(world.wechat.stats().answers).toEqual({})
      expect(await world.messages()).toMatchObject([{ state: 'unknown' }])
    },
  )

  test('stops at a configuration error and gives back what surely was not sent', async () => {
    await world.has(users(1, 30).permits(1))
    const before = await world.books()
    await retryIn(0, false)
    world.wechat.addFault({ kind: 'errcode', errcode: 40037, match: { path: SEND_PATH } })
    expect(await world.startProcess({ concurrency: 1 }).recover()).toMatchObject({ cancelled: 30 })
    expect(world.sends()).toBe(1)
    expect(await world.books()).toEqual(before)
  })
})
