import { describe, expect, test } from 'vitest'
import { createBrake } from '../../src/messages/brake.js'
import { deliverAll } from '../../src/messages/deliver.js'
import { emptyTally } from '../../src/messages/tally.js'
import { createDeadlines } from '../../src/messages/window.js'
import { findDueRun } from '../../src/reminders/due.js'
import type { FaultSpec } from '../../src/sandbox/faults.js'
import { ACCEPTED } from '../helpers/answers.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { HOUR_MS, SUBSCRIBE_PATH, TODAY } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { heldRequests, sourceOf } from '../helpers/requests.js'
import { user, users } from '../helpers/users.js'
import { type ProcessOptions, useWorld } from '../helpers/world.js'

// @module-tag long

const SUBSCRIBE = { channel: 'subscribe' } as const
const ON_SEND = { match: { path: SUBSCRIBE_PATH } }
const USERS = 60

/** A subscribe message has no key: what may have been sent is never sent again, so each doubt costs a permit. */
describe.each(dialects)('without a key on %s', (dialect) => {
  const world = useWorld(dialect)

  /** What the schedule does at a tick: the recovery, then the run if it is due. */
  async function tick(options: ProcessOptions = {}): Promise<string> {
    const process = world.startProcess(options)
    try {
      await process.recover(SUBSCRIBE)
      const due = await findDueRun(world.db, { ...world.account, ...SUBSCRIBE }, world.clock.now())
      return due ? (await process.remind({ ...due, account: SUBSCRIBE })).state : 'not due'
    } finally {
      await process.kill()
    }
  }

  async function countStates(): Promise<Record<string, number>> {
    const states: Record<string, number> = {}
    for (const { state } of await world.messages()) states[state] = (states[state] ?? 0) + 1
    return states
  }

  const BUSY: [string, Omit<FaultSpec, 'match'>][] = [
    ...[-1, 61450, 200001].map((errcode): [string, Omit<FaultSpec, 'match'>] => [
      `${errcode}`,
      { kind: 'errcode', errcode },
    ]),
    ...[408, 425, 429, 503].map((status): [string, Omit<FaultSpec, 'match'>] => [
      `HTTP ${status}`,
      { kind: 'http_status', status },
    ]),
  ]
  const FROM_THE_START = BUSY.filter(([name]) => name === '-1' || name === 'HTTP 503')
  for (const after of [20, 0]) {
    test.each(after > 0 ? BUSY : FROM_THE_START)(
      `a busy WeChat (%s) after ${after} deliveries costs no permit, pauses the run, and it goes on by itself`,
      async (_, fault) => {
        await world.has(users(1, USERS).subscriptions(1))
        world.wechat.addFault({ ...fault, ...ON_SEND, ...(after > 0 ? { after } : {}) })
        expect(await tick()).toBe('paused')
        expect(await world.runs()).toMatchObject([
          { state: 'running', reason: expect.stringMatching(/is not accepting messages right now/) },
        ])
        expect((await countStates()).unknown).toBeUndefined()
        world.clock.advance(HOUR_MS)
        expect(await tick()).toBe('paused')
        expect(world.reminded()).toHaveLength(after)

        world.wechat.clearFaults()
        world.clock.advance(HOUR_MS)
        expect(await tick()).toBe('done')
        expect(world.reminded().sort((a, b) => a - b)).toEqual(users(1, USERS).ids)
        const { unknown = 0, delivered, failed = 0 } = await countStates()
        expect({ unknown, delivered, failed }).toEqual({ unknown: 0, delivered: USERS, failed: 0 })
        await world.expectSound()
      },
    )
  }

  const DOUBTS: Omit<FaultSpec, 'match'>[] = [
    { kind: 'cut_after' },
    { kind: 'cut_before' },
    { kind: 'hang' },
    { kind: 'garbage' },
    { kind: 'http_status', status: 502 },
  ]
  test.each(DOUBTS)(
    'an outage that leaves doubts ($kind) costs the requests under way and no more, and the run goes on by itself',
    async (fault) => {
      await world.has(users(1, USERS).subscriptions(1))
      world.wechat.addFault({ ...fault, ...ON_SEND, after: 20 })
      const options = { concurrency: 8, ...(fault.kind === 'hang' ? { timeoutMs: 1_000 } : {}) }
      expect(await tick(options)).toBe('paused')
      const first = (await countStates()).unknown ?? 0
      expect(first).toBeGreaterThan(0)
      expect(first).toBeLessThanOrEqual(8)
      // Each probe is one message.
      expect(await tick(options)).toBe('paused')
      expect((await countStates()).unknown).toBe(first + 1)

      world.wechat.clearFaults()
      expect(await tick()).toBe('done')
      expect(await countStates()).toMatchObject({ delivered: USERS - first - 1, unknown: first + 1 })
      await world.expectSound()
    },
  )

  test('one answer lost among many is one doubt, and holds nobody up', async () => {
    await world.has(users(1, USERS).subscriptions(1))
    world.wechat.addFault({ kind: 'cut_after', times: 1, ...ON_SEND, after: 30 })
    expect(await tick({ concurrency: 8 })).toBe('done')
    expect(await countStates()).toEqual({ delivered: USERS - 1, unknown: 1 })
  })

  test('what a killed process had claimed and not sent is sent by whoever takes it over', async () => {
    await world.has(users(1, 700).subscriptions(1))
    expect(await claimAll(world, SUBSCRIBE)).toHaveLength(700)
    await world.lapseLeases()
    expect(await world.startProcess().recover(SUBSCRIBE)).toEqual({ ...emptyTally(), delivered: 700 })
    expect(await countStates()).toEqual({ delivered: 700 })
    await world.expectSound()
  })

  test('what a killed process had claimed and not sent is given back when its window has closed', async () => {
    await world.has(users(1, 700).subscriptions(1))
    const before = await world.books()
    await claimAll(world, SUBSCRIBE)
    await world.lapseLeases()
    world.clock.advance(12 * HOUR_MS)
    expect(await world.startProcess().recover(SUBSCRIBE)).toEqual({ ...emptyTally(), cancelled: 700 })
    expect(await world.books()).toEqual(before)
  })

  test('when the database goes away, only the requests under way are in doubt', async () => {
    await world.has(users(1, 20).subscriptions(1))
    const messages = await claimAll(world, SUBSCRIBE)
    const requests = heldRequests()
    const dying = world.startProcess({ poolMax: 1, concurrency: 4, send: requests.send })
    const delivering = deliverAll(dying, sourceOf(messages), {
      kind: 'reminder',
      brake: createBrake(),
      closesAt: createDeadlines(world.account),
      signal: new AbortController().signal,
    })
    await eventually('four requests under way', () => requests.underWay === 4)
    expect(await countStates()).toEqual({ sending: 4, queued: 16 })
    await dying.db.destroy()
    requests.answerAll(ACCEPTED)
    await expect(delivering).rejects.toThrow()
    await world.lapseLeases()
    expect(await world.startProcess().recover(SUBSCRIBE)).toMatchObject({ delivered: 16, unknown: 4 })
  })

  test('a process that wakes up after its message was taken over does not send it', async () => {
    await world.has(user(1).subscriptions(1))
    const message = await claimOne(world, SUBSCRIBE)
    await world.lapseLeases()
    const heir = world.startProcess()
    expect(await heir.recover(SUBSCRIBE)).toMatchObject({ delivered: 1 })
    const late = world.startProcess()
    const tally = await deliverAll(late, sourceOf([message]), {
      kind: 'reminder',
      brake: createBrake(),
      closesAt: createDeadlines(world.account),
      signal: new AbortController().signal,
    })
    expect(tally).toEqual({ ...emptyTally(), lost: 1 })
    expect(world.reminded()).toEqual([1])
  })

  test('a verdict is committed before the next request takes its place', async () => {
    await world.has(users(1, 40).subscriptions(1))
    let most = 0
    let open = 0
    const process = world.startProcess({
      concurrency: 4,
      send: async () => {
        // Before the look: others may be asked while it waits for the database.
        const asked = ++open
        const { sending = 0, delivered = 0 } = await countStates()
        most = Math.max(most, asked - delivered, sending)
        return ACCEPTED
      },
    })
    expect(await process.remind({ account: SUBSCRIBE })).toMatchObject({ delivered: 40, date: TODAY })
    expect(most).toBeLessThanOrEqual(4)
  })
})
