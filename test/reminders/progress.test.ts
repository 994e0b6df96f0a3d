import { expect, test } from 'vitest'
import { createLogger } from '../../src/lib/logger.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { emptyTally } from '../../src/messages/tally.js'
import { createProgressLog } from '../../src/reminders/progress.js'

const MESSAGES: HeldMessage[] = Array.from({ length: 500 })

function setUp() {
  const lines: object[] = []
  const output = { write: (line: string) => lines.push(JSON.parse(line)) }
  const log = createLogger({ level: 'info', secrets: [], output })
  let now = 0
  const progress = createProgressLog({ log, now: () => now }, { app_id: 'wxA', run_id: 7, date: 20_261_120 })
  const source = progress.watch({ next: async () => MESSAGES })
  return {
    lines,
    source,
    settledAt(at: number, counts: object) {
      now = at
      progress.settled({ ...emptyTally(), ...counts })
    },
    askAt(at: number) {
      now = at
      return source.next(async () => true)
    },
  }
}

test('a run tells every 10 s how far it has come, and how fast', async () => {
  const run = setUp()
  await run.askAt(0)
  run.settledAt(9_999, { delivered: 90 })
  expect(run.lines).toEqual([])
  run.settledAt(10_000, { delivered: 97, failed: 2, unknown: 1 })
  run.settledAt(15_000, { delivered: 400 })
  const line = { event: 'remind.progress', level: 'info', app_id: 'wxA', run_id: 7, date: 20_261_120 }
  expect(run.lines).toMatchObject([
    { ...line, claimed: 500, delivered: 97, failed: 2, unknown: 1, per_second: 10 },
  ])
  expect(await run.askAt(20_000)).toBe(MESSAGES)
  run.settledAt(30_100, { delivered: 1_410, failed: 2, unknown: 1 })
  expect(run.lines.slice(1)).toMatchObject([
    { claimed: 500, delivered: 400, per_second: 30 },
    { claimed: 1_000, delivered: 1_410, per_second: 100.3 },
  ])
})

test('a run that only waits for retries tells that it is still there', async () => {
  const run = setUp()
  for (let at = 0; at <= 30_000; at += 1_000) await run.askAt(at)
  expect(run.lines).toHaveLength(3)
  expect(run.lines.at(-1)).toMatchObject({ delivered: 0, per_second: 0 })
})
