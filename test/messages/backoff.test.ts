import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoff } from '../../src/messages/backoff.js'

const attempt = fc.integer({ min: 1, max: 40 })
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('a pause lies between nothing and a second, doubled with each attempt, and is never above a minute', () => {
  fc.assert(
    fc.property(attempt, random, (n, luck) => {
      const pause = backoff(n, luck)
      expect(pause).toBeGreaterThanOrEqual(0)
      expect(pause).toBeLessThanOrEqual(Math.min(60_000, 1_000 * 2 ** (n - 1)))
    }),
  )
})

test('with the same luck a later attempt never waits less', () => {
  fc.assert(
    fc.property(attempt, random, (n, luck) => {
      expect(backoff(n + 1, luck)).toBeGreaterThanOrEqual(backoff(n, luck))
    }),
  )
})

test('luck spreads the pauses over the whole of their range', () => {
  for (const n of [1, 4, 10]) {
    const cap = Math.min(60_000, 1_000 * 2 ** (n - 1))
    expect(backoff(n, 0)).toBe(0)
    expect(backoff(n, 0.5)).toBe(cap / 2)
    expect(backoff(n, 0.999_999)).toBeGreaterThan(cap * 0.99)
  }
})
