import { describe, expect, test } from 'vitest'
import { findDueRun } from '../../src/reminders/due.js'
import type { FaultSpec } from '../../src/sandbox/faults.js'
import { HOUR_MS, MINUTE_MS, NOW, SEND_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { users } from '../helpers/users.js'
import { refusedUrl } from '../helpers/wechat.js'
import { type ProcessOptions, useWorld } from '../helpers/world.js'

// @module-tag long

const USERS = 40
const ON_SEND = { match: { path: SEND_PATH } }

describe.each(dialects)('an outage of WeChat for hours on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })

  /** What the schedule does at a tick: the recovery every few seconds, the run once a minute if it is due. */
  async function tick(options: ProcessOptions = {}): Promise<string> {
    const process = world.startProcess(options)
    try {
      await process.recover()
      const due = await findDueRun(world.db, world.account, world.clock.now())
      return due ? (await process.remind(due)).state : 'not due'
    } finally {
      await process.kill()
    }
  }

  const inDoubt = async () => (await world.messages()).filter(({ state }) => state === 'retry').length

  async function outlast(options: ProcessOptions = {}): Promise<void> {
    world.clock.set(NOW)
    expect(await tick(options)).toBe('paused')
    const [run] = await world.runs()
    expect(run).toMatchObject({ slot: TODAY, state: 'running' })
    expect(run?.reason).toMatch(/WeChat is not accepting messages right now/)
    for (let hour = 1; hour <= 3; hour++) {
      world.clock.advance(HOUR_MS)
      expect(await tick(options)).toBe('paused')
    }
    expect(world.reminded()).toEqual([])
  }

  async function expectAllReminded(next = 'done'): Promise<void> {
    world.wechat.clearFaults()
    expect(await tick()).toBe(next)
    // What was in doubt is asked about once more.
    world.clock.advance(10 * MINUTE_MS)
    await tick()
    expect(await inDoubt()).toBe(0)
    expect(new Set(world.reminded()).size).toBe(USERS)
    expect(world.reminded()).toHaveLength(USERS)
    expect(await world.runs()).toMatchObject([{ state: 'done', reason: null }])
    for (let userId = 1; userId <= USERS; userId++) {
      expect(await world.counterOf(userId)).toEqual({ count: 1, last_date: TODAY })
    }
  }

  test('an outage of WeChat for hours that refuses connections: the run goes on by itself afterwards and reminds everybody once', async () => {
    await world.has(users(1, USERS).permits(2))
    const before = await world.books()
    await outlast({ baseUrl: await refusedUrl() })
    expect(await world.books()).toEqual(before)
    await expectAllReminded()
  })

  const FAULTS: [string, Omit<FaultSpec, 'match'>][] = [
    ['says that it is busy', { kind: 'errcode', errcode: -1 }],
    ['cuts each line', { kind: 'cut_before' }],
    ['answers by a gateway', { kind: 'http_status', status: 502 }],
  ]
  test.each(FAULTS)(
    'an outage of WeChat for hours that %s: those in doubt are few and are not lost, and the run goes on by itself',
    async (_, fault) => {
      await world.has(users(1, USERS).permits(2))
      world.wechat.addFault({ ...fault, ...ON_SEND })
      await outlast()
      expect(await inDoubt()).toBeGreaterThan(0)
      expect(await inDoubt()).toBeLessThanOrEqual(20)
      await expectAllReminded()
    },
  )

  test('an outage of WeChat for hours that somebody in front of it answers halts the run, and the one message in doubt is asked about', async () => {
    await world.has(users(1, USERS).permits(2))
    world.wechat.addFault({ kind: 'redirect', ...ON_SEND })
    expect(await tick()).toBe('halted')
    expect(await inDoubt()).toBe(1)
    world.wechat.clearFaults()
    // As its operator would, after mending the proxy; the doubt may be resolved by the recovery as well.
    expect(await world.startProcess().remind()).toMatchObject({ state: 'done', due: USERS })
    await expectAllReminded('not due')
  })

  test('an outage of WeChat for hours that lasts until the window closes ends the run, with a reason for each', async () => {
    await world.has(users(1, USERS).permits(2))
    world.wechat.addFault({ kind: 'cut_before', ...ON_SEND })
    await outlast()
    const doubtful = await inDoubt()
    world.clock.set(NOW + 12 * HOUR_MS)
    expect(await tick()).toBe('not due')
    expect(await world.runs()).toMatchObject([
      {
        state: 'window_closed',
        reason: expect.stringMatching(/^Its sending window closed. WeChat is not accepting/),
      },
    ])
    const messages = await world.messages()
    expect(messages.filter(({ state }) => state === 'unknown')).toHaveLength(doubtful)
    for (const { errmsg } of messages) expect(errmsg).not.toBeNull()
    const { counters = [] } = await world.books()
    expect(counters.filter((row) => 'last_date' in row && row.last_date === 0)).toHaveLength(USERS - doubtful)
  })
})
