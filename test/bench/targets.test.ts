import { expect, test } from 'vitest'
import { median } from '../../bench/rig/stat.js'
import { CANDIDATES } from '../../bench/suites.js'
import { standingOf, TARGETS } from '../../bench/targets.js'

const figures = {
  done: 1,
  seconds: 1,
  per_second: 100,
  node_us: 10,
  database_us: 10,
  rss_mb: 10,
  p50_ms: 1,
  p99_ms: 2,
}

test('every target of the benchmark is a figure of candidates that there are', () => {
  const names = new Set(CANDIDATES.map(({ name }) => name))
  for (const target of TARGETS) {
    const asked: string[] = []
    const figure = target.figure((name) => {
      asked.push(name)
      return figures
    })
    expect(
      asked.filter((name) => !names.has(name)),
      target.name,
    ).toEqual([])
    expect(figure, target.name).toBeGreaterThan(0)
  }
})

test('a figure reaches the aim, the floor, or neither; what was not measured reaches nothing', () => {
  const ratio = { name: 'a / b', floor: 2, aim: 3, isLimit: false, figure: () => 0 }
  expect([3, 2, 1.99, Number.NaN].map((figure) => standingOf(ratio, figure))).toEqual([
    'aim',
    'floor',
    'missed',
    'not measured',
  ])
  const limit = { ...ratio, floor: 65, aim: 45, isLimit: true }
  expect([45, 65, 65.1].map((figure) => standingOf(limit, figure))).toEqual(['aim', 'floor', 'missed'])
})

test('a median of the rounds is their middle, or the mean of the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([])).toBeNaN()
})
