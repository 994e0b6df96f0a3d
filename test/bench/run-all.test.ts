import { expect, test } from 'vitest'
import type { BenchDatabase } from '../../bench/rig/database.js'
import { NOTHING } from '../../bench/rig/measure.js'
import { runAll } from '../../bench/run-all.js'
import { FULL } from '../../bench/suites/suite.js'

const none = {} as BenchDatabase
const rig = { mysql: none, sqlite: none, scale: FULL }

/** Two candidates that take 20 s each, by a clock that only they move. */
async function order(rounds: number, withinMs?: number): Promise<string> {
  let time = 0
  const ran: string[] = []
  const candidates = ['a', 'b'].map((name) => ({
    name,
    unit: 'users',
    run: async () => {
      ran.push(name)
      time += 20_000
      return NOTHING
    },
  }))
  const measured = await runAll(rig, candidates, rounds, {
    now: () => time,
    ...(withinMs === undefined ? {} : { withinMs }),
  })
  expect([...measured.values()].map((figures) => figures.length)).toEqual([ran.length / 2, ran.length / 2])
  return ran.join('')
}

test('candidates take turns, so that a slow minute of the machine meets all of them', async () => {
  expect(await order(3)).toBe('ababab')
})

test('a round that would not end in time is left out, but never the second one', async () => {
  expect(await order(3, 120_000)).toBe('ababab')
  expect(await order(3, 119_000)).toBe('abab')
  expect(await order(3, 10_000)).toBe('abab')
  expect(await order(1, 10_000)).toBe('ab')
})
