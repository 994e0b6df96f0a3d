import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createReachSums,
  lastReached,
  type Moment,
  type Profile,
  reachOf,
} from '../../src/summaries/reach.js'

/** Times of permits and of firings in hours; a permit is valid at a firing that comes before its end. */
interface Story {
  permits: { end: number; isHeld: boolean }[]
  firings: { at: number; date: number; sends: boolean }[]
  doneTo: number
}

const stories: fc.Arbitrary<Story> = fc.record({
  permits: fc.array(fc.record({ end: fc.integer({ min: 0, max: 260 }), isHeld: fc.boolean() }), {
    maxLength: 12,
  }),
  firings: fc
    .array(fc.boolean(), { minLength: 1, maxLength: 10 })
    .map((sends) => sends.map((each, day) => ({ at: 24 * day + 10, date: day + 1, sends: each }))),
  doneTo: fc.integer({ min: 0, max: 3 }),
})

const moments = ({ firings }: Story): Moment[] => firings.map(({ date, sends }) => ({ date, sends }))

function profileOf({ permits, firings, doneTo }: Story): Profile {
  const bundles = permits
    .map(({ end, isHeld }) => ({ valid: firings.filter(({ at }) => at < end).length, isHeld, permits: 1 }))
    .filter(({ valid }) => valid > 0)
  return { doneTo, bundles }
}

/** Day by day with each permit by itself: drop what ran out, remind, spend the one that runs out first. */
function play({ permits, firings, doneTo }: Story): { reminded: boolean[]; left: number[] } {
  let rest = permits.map((permit) => ({ ...permit })).sort((a, b) => a.end - b.end)
  const played: { reminded: boolean[]; left: number[] } = { reminded: [], left: [] }
  for (const [day, { at, date, sends }] of firings.entries()) {
    rest = rest.filter(({ end }) => end > at)
    const usable = rest.filter(({ isHeld }) => day > 0 || !isHeld)
    const [oldest] = usable
    const isReminded = sends && date > doneTo && oldest !== undefined
    if (isReminded) rest = rest.filter((permit) => permit !== oldest)
    played.reminded.push(isReminded)
    played.left.push(usable.length)
  }
  return played
}

describe('the days on which a user can be reminded', () => {
  test('are those of a simulation with each permit by itself', () => {
    fc.assert(
      fc.property(stories, (story) => {
        expect(reachOf(profileOf(story), moments(story))).toEqual(play(story))
      }),
      { numRuns: 2_000 },
    )
  })

  test('are as many as the rule f(d) = min(d, f(d-1) + c_d) says', () => {
    const daily = stories.map((story) => ({
      permits: story.permits.map(({ end }) => ({ end, isHeld: false })),
      firings: story.firings.map((firing) => ({ ...firing, sends: true })),
      doneTo: 0,
    }))
    fc.assert(
      fc.property(daily, (story) => {
        const { reminded } = reachOf(profileOf(story), moments(story))
        const endingAfter = (day: number) =>
          profileOf(story).bundles.filter(({ valid }) => valid === day).length
        let f = 0
        for (let day = 1; day <= story.firings.length; day++) {
          // With as many permits as run out later, the next firing is reached whatever f says.
          f = Math.min(day, f + endingAfter(day))
          const later = profileOf(story).bundles.filter(({ valid }) => valid > day).length
          const spent = reminded.slice(0, day).filter(Boolean).length
          expect(spent).toBeGreaterThanOrEqual(f)
          expect(spent).toBeLessThanOrEqual(Math.min(day, f + later))
        }
      }),
    )
  })

  test('of one permit that never runs out are one, and of seven that run out tomorrow too', () => {
    const week: Moment[] = Array.from({ length: 7 }, (_, i) => ({ date: i + 1, sends: true }))
    const days = (valid: number, permits: number) =>
      reachOf({ doneTo: 0, bundles: [{ valid, isHeld: false, permits }] }, week).reminded.filter(Boolean)
        .length
    expect([days(7, 1), days(1, 7), days(7, 7), days(3, 7)]).toEqual([1, 1, 7, 3])
  })
})

describe('going dark', () => {
  const days: Moment[] = [1, 2, 3, 4].map((date) => ({ date, sends: date !== 3 }))

  test('is told on the last day, if another reminder follows, over days without one', () => {
    const last = (permits: number, of = days) =>
      lastReached(reachOf({ doneTo: 0, bundles: [{ valid: of.length, isHeld: false, permits }] }, of), of)
    expect([last(0), last(1), last(2), last(3)]).toEqual([undefined, 0, 1, undefined])
    expect(last(2, days.slice(0, 3))).toBeUndefined()
  })

  test('is counted as reachable on that day and not on the next, and permits only while they are valid', () => {
    const { add, sums } = createReachSums(days)
    add({ doneTo: 0, bundles: [{ valid: 2, isHeld: false, permits: 3 }] }, 10)
    add({ doneTo: 1, bundles: [{ valid: 4, isHeld: false, permits: 1 }] }, 5)
    expect(sums).toEqual([
      { reachable: 10, permitsLeft: 35, goingDark: 0 },
      { reachable: 15, permitsLeft: 25, goingDark: 15 },
      { reachable: 0, permitsLeft: 0, goingDark: 0 },
      { reachable: 0, permitsLeft: 0, goingDark: 0 },
    ])
  })
})
