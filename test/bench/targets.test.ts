import { expect, test } from 'vitest'
import { median } from '../../bench/rig/stat.js'
import { GROWTH } from '../../bench/suites/growth.js'
import { QUICK_SIDE_BY_SIDE, SIDE_BY_SIDE } from '../../bench/suites/index.js'
import { GROWTH_TARGETS, standingOf, TARGETS } from '../../bench/targets.js'

const figures = {
  done: 1,
  seconds: 1,
  per_second: 100,
  node_us: 10,
  database_us: 10,
  rss_mb: 10,
  p50_ms: 1,
  p99_ms: 2,
  slow_statements: 1,
}

const suites = [
  { suite: 'side by side', candidates: SIDE_BY_SIDE, targets: TARGETS },
  { suite: 'growth', candidates: GROWTH, targets: GROWTH_TARGETS },
]

test.each(suites)('every target of the suite "$suite" is a figure of its candidates', (of) => {
  const names = new Set(of.candidates.map(({ name }) => name))
  for (const target of of.targets) {
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

test('no two candidates and no two targets have one name', () => {
  for (const named of [
    ...suites.map(({ candidates }) => candidates),
    ...suites.map(({ targets }) => targets),
  ]) {
    const names = named.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)])
  }
})

test('a quick run has both sides of at least eight ratios', () => {
  const quick = new Set(QUICK_SIDE_BY_SIDE.map(({ name }) => name))
  const measured = TARGETS.filter(
    ({ isRatio, figure }) =>
      isRatio &&
      !Number.isNaN(
        figure((name) =>
          quick.has(name) ? figures : { ...figures, per_second: Number.NaN, p99_ms: Number.NaN },
        ),
      ),
  )
  expect(measured.length).toBeGreaterThanOrEqual(8)
})

test('a figure reaches the aim, the floor, or neither; what was not measured reaches nothing', () => {
  const ratio = { name: 'a / b', floor: 2, aim: 3, isLimit: false, isRatio: true, figure: () => 0 }
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
