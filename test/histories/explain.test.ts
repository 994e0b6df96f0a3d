import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome } from '../../src/reminders/explain-verdict.js'
import { NOW } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { createWorld } from '../helpers/world.js'
import { History } from './history.js'
import { stepsOn } from './steps.js'

// @module-tag long

const SEED = 20_261_120
/** Of some thirty steps each. All of them on each machine, however busy. */
const HISTORIES = 12
const TIMEOUT_MS = 240_000

const cases = dialects.flatMap((dialect) =>
  (['form_id', 'subscribe', 'official'] as const).map((channel) => [channel, dialect] as const),
)

test.each(cases)(
  'explain of %s on %s says what the runs then do, and afterwards what they did',
  async (channel, dialect) => {
    const world = await createWorld(dialect)
    const account = { ...world.account, channel }
    const seen = new Map<Outcome, number>()
    try {
      const property = fc.asyncProperty(stepsOn(channel), async (steps) => {
        await world.reset()
        world.clock.set(NOW - 3 * 3_600_000)
        const history = new History(world, account)
        for (const step of steps) {
          // No two things at the same moment.
          world.clock.advance(1)
          try {
            await step.run(history)
          } catch (error) {
            throw new Error(`${steps.map(({ text }) => text).join('\n')}\n--- at: ${step.text}`, {
              cause: error,
            })
          }
        }
        await history.compare()
        await history.passTo(history.now + 3 * 86_400_000)
        await history.compare()
        for (const [outcome, times] of history.seen) seen.set(outcome, (seen.get(outcome) ?? 0) + times)
      })
      await fc.assert(property, { seed: SEED, numRuns: HISTORIES })
      expect(seen.size).toBeGreaterThan(channel === 'official' ? 9 : 11)
    } finally {
      await world.close()
    }
  },
  TIMEOUT_MS,
)
