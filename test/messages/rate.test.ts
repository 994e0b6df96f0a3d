import { setMaxListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { CREDIT_MS, createRate, SLICE_MS, type Turns } from '../../src/messages/rate.js'
import { ACCEPTED } from '../helpers/answers.js'
import { claimAll } from '../helpers/claims.js'
import { eventually } from '../helpers/eventually.js'
import { timed } from '../helpers/stopwatch.js'
import { largestBurst, type Times, takeTurns } from '../helpers/turns.js'
import { users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

/** What timers and the collector of garbage may add between a turn and its record here. */
const JITTER_MS = 20

let stop: AbortController

beforeEach(() => {
  stop = new AbortController()
  setMaxListeners(0, stop.signal)
})
afterEach(() => stop.abort())

describe('a rate', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  test('a rate of no limit lets everybody pass at once', async () => {
    const times: Times = []
    const rate = createRate(undefined)
    for (let i = 0; i < 1_000; i++) {
      await rate.turn(stop.signal)
      times.push(performance.now())
    }
    expect(new Set(times).size).toBe(1)
    expect(rate.perSecond).toBeUndefined()
  })

  test('gives turns evenly, in the order in which they were asked for', async () => {
    const rate = createRate(10)
    const came: [name: number, at: number][] = []
    const begun = performance.now()
    const asked = Array.from({ length: 6 }, async (_, name) => {
      await rate.turn(stop.signal)
      came.push([name, performance.now() - begun])
    })
    await vi.advanceTimersByTimeAsync(1_000)
    await Promise.all(asked)
    const first = 0
    expect(came).toEqual([first, 50, 150, 250, 350, 450].map((at, name) => [name, at]))
  })

  test('a rate does not let an idle time be caught up, but for a twentieth of a second', async () => {
    const times: Times = []
    const rate = createRate(200)
    await rate.turn(stop.signal)
    await vi.advanceTimersByTimeAsync(60_000)
    const begun = performance.now()
    void takeTurns(rate, times, stop.signal)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(times.filter((time) => time === begun)).toHaveLength((200 * CREDIT_MS) / 1_000 + 1)
    expect(times).toHaveLength((200 * (1_000 + CREDIT_MS)) / 1_000 + 1)
  })

  test('lets turns lapse that were taken and not used in time', async () => {
    const taken: number[] = []
    const rate = createRate(1_000, async (count): Promise<Turns> => {
      taken.push(count)
      return { at: performance.now(), count, intervalMs: 1 }
    })
    const gone = new AbortController()
    setMaxListeners(0, gone.signal)
    for (let i = 0; i < 100; i++) void rate.turn(gone.signal)
    await vi.advanceTimersByTimeAsync(10)
    gone.abort()
    await vi.advanceTimersByTimeAsync(1_000)
    const before = taken.length
    await rate.turn(stop.signal)
    expect(taken.slice(before)).toEqual([1])
  })

  test('a rate is taken in slices that are not larger than what waits', async () => {
    const taken: number[] = []
    const rate = createRate(1_000, async (count): Promise<Turns> => {
      taken.push(count)
      return { at: performance.now(), count, intervalMs: 1 }
    })
    await rate.turn(stop.signal)
    expect(taken).toEqual([1])
    void takeTurns(rate, [], stop.signal, 500)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(Math.max(...taken)).toBe(SLICE_MS)
  })

  test('lets nobody wait who is told to stop, and leaves no timer behind', async () => {
    const rate = createRate(0.001)
    await rate.turn(stop.signal)
    const waiting = takeTurns(rate, [], stop.signal, 50)
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(1)
    stop.abort()
    await waiting
    expect(vi.getTimerCount()).toBe(0)
    await rate.turn(stop.signal)
  })

  test('a rate of one in days is waited for', async () => {
    const rate = createRate(1 / (40 * 24 * 60 * 60))
    const times: Times = []
    void takeTurns(rate, times, stop.signal, 2)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(times).toHaveLength(1)
  })
})

test('a rate is kept by the real clock too, in any stretch of time', async () => {
  const times: Times = []
  const taking = takeTurns(createRate(500), times, stop.signal)
  const { ms } = await timed(() => eventually('a second of turns', () => times.length >= 500))
  stop.abort()
  await taking
  expect(largestBurst(times, 500)).toBeLessThanOrEqual((500 * (CREDIT_MS + JITTER_MS)) / 1_000 + 1)
  expect(ms).toBeLessThan(5_000)
})

describe('the rate of a process', () => {
  const world = useWorld('sqlite', { leaves: 'anything' })

  test('the rate of a process is one for its run and its recovery', async () => {
    await world.has(users(1, 100).permits(1))
    await claimAll(world)
    await world.lapseLeases()
    await world.has(users(101, 200).permits(1))
    const times: Times = []
    const process = world.startProcess({
      rate: 100,
      send: async () => {
        times.push(performance.now())
        return ACCEPTED
      },
    })
    const [report, tally] = await Promise.all([process.remind({ limit: 100 }), process.recover()])
    expect(report.delivered + tally.delivered).toBeGreaterThanOrEqual(200)
    expect(times).toHaveLength(200)
    // With a rate for each it would be a second. How close together they were, a busy machine tells wrongly.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1_800)
  })
})
