import { expect, test } from 'vitest'
import { createCached } from '../../src/metrics/cached.js'
import { eventually } from '../helpers/eventually.js'
import { timed } from '../helpers/stopwatch.js'

/** A source whose reads end when the test says so. */
function heldSource() {
  const reads: { resolve(value: number): void; reject(error: Error): void }[] = []
  const read = () => new Promise<number>((resolve, reject) => reads.push({ resolve, reject }))
  return { read, reads }
}

const LIMITS = { maxAgeMs: 60_000, patienceMs: 500 }

test('several who ask at once, and those who ask soon after, share one read', async () => {
  let reads = 0
  const look = createCached(async () => ++reads, LIMITS)
  const first = await Promise.all([look(), look(), look()])
  expect(first).toEqual(Array(3).fill({ value: 1, isFresh: true }))
  expect(await look()).toEqual({ value: 1, isFresh: true })
  expect(reads).toBe(1)
})

test('a value that has grown old is read again', async () => {
  let reads = 0
  const look = createCached(async () => ++reads, { ...LIMITS, maxAgeMs: 1e-9 })
  await look()
  await look()
  expect(reads).toBe(2)
})

test('a read that fails leaves the last value, not fresh, and is not repeated at once', async () => {
  const { read, reads } = heldSource()
  const look = createCached(read, LIMITS)
  const first = look()
  reads[0]?.reject(new Error('gone'))
  expect(await first).toEqual({ value: undefined, isFresh: false })
  expect(await look()).toEqual({ value: undefined, isFresh: false })
  expect(reads.length).toBe(1)
})

test('a read that hangs is waited for once, and never by who comes later', async () => {
  const { read, reads } = heldSource()
  const look = createCached(read, LIMITS)
  expect(await look()).toEqual({ value: undefined, isFresh: false })
  const { result, ms } = await timed(look)
  expect(result).toEqual({ value: undefined, isFresh: false })
  expect(ms).toBeLessThan(LIMITS.patienceMs / 2)
  expect(reads.length).toBe(1)
  reads[0]?.resolve(7)
  await eventually('it is fresh', async () => (await look()).isFresh)
  expect(await look()).toEqual({ value: 7, isFresh: true })
})
