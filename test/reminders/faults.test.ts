import { describe, expect, test } from 'vitest'
import type { FaultSpec } from '../../src/sandbox/faults.js'
import { MINUTE_MS, SEND_PATH } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { users } from '../helpers/users.js'
import { createWorld, type World } from '../helpers/world.js'

// @module-tag long

const USERS = 30

/** Each strikes in its own way, most of them so that WeChat's answer does not tell what became of the message. */
const FAULTS: Omit<FaultSpec, 'match'>[] = [
  { kind: 'latency', rate: 0.3, ms: 20 },
  { kind: 'errcode', errcode: -1, rate: 0.3 },
  { kind: 'errcode', errcode: -1, effect: 'after', rate: 0.3 },
  { kind: 'errcode', errcode: 45011, rate: 0.2 },
  { kind: 'errcode', errcode: 43108, rate: 0.2 },
  { kind: 'errcode', errcode: 41028, rate: 0.2 },
  { kind: 'errcode', errcode: 41029, rate: 0.2 },
  { kind: 'errcode', errcode: 43101, rate: 0.1 },
  { kind: 'errcode', errcode: 99_999, rate: 0.1 },
  { kind: 'http_status', status: 502, rate: 0.3 },
  { kind: 'http_status', status: 502, effect: 'after', rate: 0.3 },
  { kind: 'http_status', status: 503, effect: 'after', rate: 0.3 },
  { kind: 'cut_before', rate: 0.3 },
  { kind: 'cut_after', rate: 0.3 },
  { kind: 'hang', rate: 0.15 },
  { kind: 'hang', effect: 'after', rate: 0.15 },
  { kind: 'stall', rate: 0.15 },
  { kind: 'garbage', rate: 0.3 },
  { kind: 'truncated', rate: 0.3 },
  { kind: 'wrong_content_type', rate: 0.3 },
  { kind: 'redirect', rate: 0.1 },
  { kind: 'huge_body', rate: 0.1 },
  { kind: 'token_dead', rate: 0.1 },
]

const nameOf = ({ kind, errcode, status, effect, rate = 1 }: (typeof FAULTS)[number]): string =>
  [kind, errcode ?? status ?? '', effect === 'after' ? 'after the delivery' : '', `at ${rate * 100} %`]
    .filter(Boolean)
    .join(' ')

describe.each(dialects)('with a WeChat that fails, on %s', (dialect) => {
  // Its tests run at the same time, on accounts of their own.
  const database = useDatabase(dialect, { keepRows: true })
  let accounts = 0

  /** An account and a WeChat of its own for each test, so that they can run at the same time. */
  async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
    const world = await createWorld(dialect, { database, appId: `wxFault${++accounts}` })
    try {
      await work(world)
      await world.expectSound()
    } finally {
      await world.close()
    }
  }

  async function remindUntilDone(world: World, timeoutMs: number): Promise<void> {
    // Minutes of waiting for a limit pass in tenths of a second.
    world.clock.run(300)
    const process = world.startProcess({ timeoutMs, concurrency: 8 })
    // A run that was halted is started again, as its operator would; a code that comes and goes halts by bad luck.
    for (let starts = 0; starts < 6; starts++) {
      const { state, due } = await process.remind()
      if (state === 'done' && due === 0) return
      // What is in doubt after six attempts is asked about again minutes later.
      world.clock.advance(10 * MINUTE_MS)
    }
  }

  test.concurrent.each(FAULTS.map((fault) => [nameOf(fault), fault] as const))(
    '%s: nobody is reminded twice and nobody is forgotten',
    (_, fault) =>
      withWorld(async (world) => {
        await world.has(users(1, USERS).permits(5))
        world.wechat.addFault({ ...fault, match: { path: SEND_PATH } })
        // Only where nothing is answered at all is it short: an answer that came late would be a fault more.
        await remindUntilDone(world, ['hang', 'stall'].includes(fault.kind) ? 300 : 10_000)
        expect(world.wechat.faults()[0]?.struck).toBeGreaterThan(0)

        const ended = (await world.messages()).filter(({ state }) => state !== 'cancelled')
        expect(new Set(ended.map(({ user_id }) => user_id)).size).toBe(USERS)
        for (const { state, errcode, errmsg } of ended) {
          expect(['delivered', 'failed', 'unknown']).toContain(state)
          // Whoever was not reminded has the reason on record.
          if (state !== 'delivered') expect(errcode ?? errmsg).not.toBeNull()
        }
        expect(new Set(world.reminded()).size).toBe(world.reminded().length)
        expect(ended.length).toBe(USERS)
      }),
  )

  test.concurrent('all faults at once: nobody is reminded twice and nobody is forgotten', () =>
    withWorld(async (world) => {
      await world.has(users(1, 100).permits(5))
      for (const kind of ['cut_after', 'cut_before', 'garbage', 'truncated', 'token_dead', 'hang'] as const) {
        world.wechat.addFault({ kind, rate: 0.05, match: { path: SEND_PATH } })
      }
      // Not 41029: said of a message that was cut off before, it would be a lie that nobody could see through.
      for (const errcode of [-1, 41028, 43108]) {
        world.wechat.addFault({ kind: 'errcode', errcode, rate: 0.05, match: { path: SEND_PATH } })
      }
      await remindUntilDone(world, 300)
      const ended = (await world.messages()).filter(({ state }) => state !== 'cancelled')
      expect(ended).toHaveLength(100)
      expect(world.reminded().length).toBeGreaterThan(80)
    }))
})
