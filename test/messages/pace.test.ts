import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createPace, type Pace } from '../../src/messages/pace.js'
import { createRate } from '../../src/messages/rate.js'
import { createShares } from '../../src/messages/shares.js'

/** Lets `count` requests ask to start; answers how many may. */
async function startUpTo(pace: Pace, count: number): Promise<() => number> {
  let started = 0
  for (let i = 0; i < count; i++) {
    void pace.enter().then(() => {
      started++
    })
  }
  await settled()
  return () => started
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const paceOf = (concurrency: number): Pace =>
  createPace(concurrency, createRate(undefined), createShares(concurrency).reminder)

describe('requests under way', () => {
  // Only the clock: nothing here waits for a timer.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
  afterEach(() => void vi.useRealTimers())

  test('requests under way are never more than the concurrency, and the next starts when one is over', async () => {
    const pace = paceOf(4)
    const started = await startUpTo(pace, 6)
    expect(started()).toBe(4)
    pace.leave('neither')
    await settled()
    expect(started()).toBe(5)
  })

  test('requests under way are halved when WeChat says that it is too much', async () => {
    const pace = paceOf(8)
    const started = await startUpTo(pace, 20)
    for (let i = 0; i < 5; i++) pace.leave('slow_down')
    await settled()
    // Three of eight are still under way, and four may be.
    expect(started()).toBe(9)
  })

  test('requests under way are halved at most once a second, and never below one', async () => {
    const pace = paceOf(8)
    const allowed = async (): Promise<number> => {
      const started = await startUpTo(pace, 8)
      const count = started()
      // Everybody leaves again, those too who had to wait.
      for (let i = 0; i < 8; i++) {
        pace.leave('neither')
        await settled()
      }
      return count
    }
    const slowDown = async (): Promise<void> => {
      await pace.enter()
      pace.leave('slow_down')
    }
    expect(await allowed()).toBe(8)
    const counts: number[] = []
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 10; i++) await slowDown()
      counts.push(await allowed())
      vi.advanceTimersByTime(1_001)
    }
    expect(counts).toEqual([4, 2, 1, 1, 1])
  })

  test('grow by about one with as many good answers as are under way, up to the concurrency', async () => {
    const pace = paceOf(8)
    await pace.enter()
    pace.leave('slow_down')
    const goodAnswers = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await pace.enter()
        pace.leave('went_well')
      }
    }
    await goodAnswers(3)
    const before = await startUpTo(pace, 4)
    expect(before()).toBe(4)
    const fifth = await startUpTo(pace, 1)
    expect(fifth()).toBe(0)
    for (let i = 0; i < 5; i++) pace.leave('neither')
    // 1/4 + 1/4.25 + 1/4.47 + 1/4.69 + 1/4.9 is just above one: the fifth good answer opens the fifth place.
    await goodAnswers(2)
    const after = await startUpTo(pace, 6)
    expect(after()).toBe(5)
    for (let i = 0; i < 6; i++) {
      pace.leave('neither')
      await settled()
    }
    await goodAnswers(1_000)
    const grown = await startUpTo(pace, 20)
    expect(grown()).toBe(8)
  })
})
