import { describe, expect, test } from 'vitest'
import { createPlaces, type Place } from '../../src/db/places.js'

const ALL = 10
/** As long as a statement waits for a row that somebody holds. */
const LOCK_WAIT_MS = 1_000

describe('the places of a pool', () => {
  function openPool(isDivided = true, all = ALL) {
    let now = 0
    const late = () => new Error('too late')
    const places = createPlaces({
      all: () => all,
      isDivided: () => isDivided,
      waitMs: 60_000,
      late,
      now: () => now,
    })
    /** A party that asks for so many places; `has` are those that it got. */
    const ask = (count: number) => {
      const party = places.party()
      const has: Place[] = []
      const more = (n: number) => {
        // Who waits at the end of a test is turned away a minute later, beside other tests.
        for (let i = 0; i < n; i++)
          party.enter().then(
            (place) => has.push(place),
            () => {},
          )
      }
      more(count)
      return { has, more, leave: () => has.shift()?.leave() }
    }
    const pass = (ms: number): void => {
      now += ms
    }
    return { ask, pass }
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  const sizes = (parties: { has: Place[] }[]) => parties.map(({ has }) => has.length)

  test('are all for one party while it is alone', async () => {
    const alone = openPool(false).ask(30)
    await settled()
    expect(alone.has.length).toBe(ALL)
  })

  test('leave half to the others, whatever one party asks for, and a place each, whatever several do', async () => {
    const { ask } = openPool()
    const greedy = ask(30)
    await settled()
    expect(greedy.has.length).toBe(5)
    const second = ask(30)
    const third = ask(1)
    await settled()
    expect(sizes([greedy, second, third])).toEqual([5, 3, 1])
  })

  test.each([2, 3, 5, 9, 10, 20, 100])(
    'are left for a party without locked rows while %i others wait for rows that somebody holds',
    async (count) => {
      const { ask, pass } = openPool()
      const stuck = Array.from({ length: count }, () => ask(30))
      // Each statement gives up after a second, and its call tries again.
      for (let second = 0; second < 2 * count; second++) {
        await settled()
        pass(LOCK_WAIT_MS)
        for (const party of stuck)
          for (const place of party.has.splice(0)) {
            place.leave()
            party.more(1)
          }
      }
      await settled()
      const taken = sizes(stuck).reduce((sum, n) => sum + n, 0)
      expect(taken).toBeGreaterThanOrEqual(ALL / 2)
      expect(taken).toBeLessThanOrEqual(8)
      const healthy = ask(3)
      await settled()
      expect(healthy.has.length).toBeGreaterThanOrEqual(1)
      for (let i = 0; i < 3; i++) {
        pass(10)
        healthy.leave()
        await settled()
      }
      expect(healthy.has).toEqual([])
    },
  )

  test('go in turns among parties', async () => {
    const { ask } = openPool(true, 2)
    const parties = [ask(9), ask(9), ask(9)]
    const got = [0, 0, 0]
    for (let turn = 0; turn < 6; turn++) {
      await settled()
      for (const [i, { has }] of parties.entries()) got[i] = Number(got[i]) + has.length
      for (const party of parties) party.leave()
    }
    expect(Math.min(...got)).toBeGreaterThanOrEqual(3)
  })

  test('are lent to a slow party again once half a minute has passed', async () => {
    const { ask, pass } = openPool()
    const slow = Array.from({ length: 9 }, () => ask(1))
    await settled()
    expect(sizes(slow)).toEqual(Array(9).fill(1))
    pass(LOCK_WAIT_MS)
    for (const party of slow) party.leave()
    for (const party of slow) party.more(1)
    await settled()
    expect(sizes(slow).reduce((sum, n) => sum + n, 0)).toBe(8)
    for (const party of slow) party.leave()
    await settled()
    for (const party of slow) party.leave()
    pass(30_000)
    for (const party of slow) party.more(1)
    await settled()
    expect(sizes(slow)).toEqual(Array(9).fill(1))
  })

  test('are one even of a pool that has one, for a slow party too', async () => {
    const { ask, pass } = openPool(true, 1)
    const only = ask(2)
    await settled()
    expect(only.has.length).toBe(1)
    pass(LOCK_WAIT_MS)
    only.leave()
    await settled()
    expect(only.has.length).toBe(1)
  })
})
