import { expect, test } from 'vitest'
import { compareRatios, LEAST_NOISE, type Ratio, ratiosOf } from '../../bench/compare.js'
import type { Figures } from '../../bench/rig/measure.js'
import type { Target } from '../../bench/targets.js'

const ratio = (figure: number, spread = 0.02, isLimit = false): Ratio => ({
  name: 'daily run / article',
  isLimit,
  figure,
  spread,
})

const verdict = (now: Ratio[], stored: Ratio[]) => compareRatios(now, stored).map((one) => one.verdict)

test('a ratio that fell by more than the noise has dropped, and one that rose is better', () => {
  expect(verdict([ratio(5.9)], [ratio(8)])).toEqual(['dropped'])
  expect(verdict([ratio(10.1)], [ratio(8)])).toEqual(['better'])
})

test('a fall within the noise of either run is none', () => {
  expect(verdict([ratio(8 * (1 - LEAST_NOISE) + 0.01)], [ratio(8)])).toEqual(['as before'])
  expect(verdict([ratio(5.8, 0.3)], [ratio(8)])).toEqual(['as before'])
  expect(verdict([ratio(5.8)], [ratio(8, 0.3)])).toEqual(['as before'])
  expect(verdict([ratio(5, 0.3)], [ratio(8, 0.3)])).toEqual(['dropped'])
  expect(verdict([ratio(9, 2.4), ratio(2, 2.4)], [ratio(8)])).toEqual(['as before'])
})

test('a ratio that is to be small drops by growing', () => {
  expect(verdict([ratio(2.1, 0.02, true)], [ratio(1.5, 0.02, true)])).toEqual(['dropped'])
  expect(verdict([ratio(1, 0.02, true)], [ratio(1.5, 0.02, true)])).toEqual(['better'])
})

test('a ratio without a stored one, or a stored one that was not measured, says so and has not dropped', () => {
  expect(verdict([ratio(6)], [])).toEqual(['nothing stored'])
  expect(verdict([], [ratio(6)])).toEqual(['not measured'])
})

test('ratios are formed round by round, so that a slow round shows in neither ratio nor noise', () => {
  const round = (per_second: number): Figures => ({
    done: 1,
    seconds: 1,
    per_second,
    node_us: 1,
    database_us: 1,
    rss_mb: 1,
  })
  const target = (name: string, isRatio: boolean): Target => ({
    name,
    floor: 1,
    aim: 2,
    isLimit: false,
    isRatio,
    figure: (of) => of('a').per_second / of('b').per_second,
  })
  const measured = new Map([
    ['a', [round(80), round(8), round(88)]],
    ['b', [round(10), round(1), round(10)]],
  ])
  const ratios = ratiosOf([target('a / b', true), target('an absolute figure', false)], measured, 3)
  expect(ratios).toEqual([{ name: 'a / b', isLimit: false, figure: 8, spread: expect.closeTo(0.1) }])
  expect(ratiosOf([target('a / b', true)], new Map([['a', [round(1)]]]), 1)).toEqual([])
})
