import { describe, expect, inject, test } from 'vitest'
import { dialects } from '../helpers/database.js'
import { runChaos } from './driver.js'
import { CHANNELS } from './options.js'
import { ANYWHERE } from './processes.js'

// @module-tag programs

/** On each database; `npm run chaos` goes on for as long as one likes. */
const KILLS = 12
const COMBINATIONS = CHANNELS.flatMap((channel) => dialects.map((database) => [channel, database] as const))
/** Far more than it takes, even on a busy machine. */
const TIMEOUT_MS = 400_000

describe('processes that are killed and frozen while WeChat and the database fail', () => {
  // Side by side: each waits for leases more than it works.
  test.concurrent.each(COMBINATIONS)(
    'remind nobody twice and lose nobody by %s on %s',
    async (channel, database) => {
      const seed = Number(process.env.CHAOS_SEED ?? 20_261_121)
      process.stderr.write(`chaos by ${channel} on ${database}: seed ${seed}\n`)
      const report = await runChaos({
        channel,
        database,
        kills: KILLS,
        seed,
        main: inject('program'),
        processes: 3,
        faultRate: 0.2,
        timeoutMs: TIMEOUT_MS,
      })
      const again = `npm run chaos -- --channel ${channel} --database ${database} --kills ${KILLS} --seed ${seed} (traces in ${report.folder})`
      const { violations, trouble, kills, killed_at } = report
      expect(trouble, again).toEqual([])
      for (const [name, rows] of Object.entries(violations)) expect(rows, `${name}: ${again}`).toEqual([])
      expect(kills).toBeGreaterThanOrEqual(KILLS)
      const named = Object.keys(killed_at).filter((place) => place !== ANYWHERE)
      expect(named, 'failpoints at which there were kills').not.toEqual([])
    },
    TIMEOUT_MS * 2,
  )
})
