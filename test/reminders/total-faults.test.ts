import { describe, expect, test } from 'vitest'
import type { Channel } from '../../src/channel.js'
import { findDueRun } from '../../src/reminders/due.js'
import type { FaultSpec } from '../../src/sandbox/faults.js'
import { SEND_PATHS } from '../../src/wechat/send-paths.js'
import { MINUTE_MS } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { type Users, users } from '../helpers/users.js'
import { createWorld, type World } from '../helpers/world.js'

// @module-tag long

const USERS = 40
const UNDER_WAY = 8

const FAULTS: Omit<FaultSpec, 'match'>[] = [
  { kind: 'errcode', errcode: -1 },
  { kind: 'errcode', errcode: 45011 },
  { kind: 'errcode', errcode: 40037 },
  { kind: 'http_status', status: 502, effect: 'after' },
  { kind: 'cut_after' },
  { kind: 'hang' },
  { kind: 'truncated' },
  { kind: 'redirect' },
  { kind: 'token_dead' },
]

const RIGHTS: Record<Channel, (people: Users) => Users> = {
  form_id: (people) => people.permits(1),
  subscribe: (people) => people.subscriptions(1),
  official: (people) => people.following(),
}

describe.each(dialects)('a fault that strikes every request, on %s', (dialect) => {
  const database = useDatabase(dialect, { keepRows: true })
  let accounts = 0

  describe.each(['form_id', 'subscribe', 'official'] as const)('on the channel %s', (channel) => {
    /** What the schedule does at a tick, or an operator who starts the run again. */
    async function tick(world: World, isAsked: boolean, timeoutMs: number): Promise<string> {
      const account = { channel }
      const process = world.startProcess({ concurrency: UNDER_WAY, timeoutMs })
      try {
        await process.recover(account)
        const due = await findDueRun(world.db, { ...world.account, channel }, world.clock.now())
        if (due) return (await process.remind({ ...due, account })).state
        return isAsked ? (await process.remind({ account })).state : 'not due'
      } finally {
        await process.kill()
      }
    }

    test.each(FAULTS)(
      '$kind $errcode: stops the run, and costs no more than what was under way',
      async (fault) => {
        const world = await createWorld(dialect, { database, appId: `wxTotal${++accounts}` })
        try {
          await world.has(RIGHTS[channel](users(1, USERS)))
          world.wechat.addFault({ ...fault, match: { path: SEND_PATHS[channel] } })
          // The minutes of attempts pass in tenths of a second.
          world.clock.run(300)
          expect(await tick(world, false, fault.kind === 'hang' ? 300 : 10_000)).toMatch(/^(paused|halted)$/)
          expect(world.wechat.faults()[0]?.struck).toBeGreaterThan(0)
          world.wechat.clearFaults()
          // What is in doubt is asked about for minutes, or left as it is when there is no key any more.
          for (let again = 0; again < 3; again++) {
            world.clock.advance(11 * MINUTE_MS)
            await tick(world, true, 10_000)
          }
          const ended = (await world.messages()).filter(({ state }) => state !== 'cancelled')
          expect(new Set(ended.map(({ user_id }) => user_id)).size).toBe(USERS)
          const delivered = ended.filter(({ state }) => state === 'delivered').length
          expect(delivered).toBeGreaterThanOrEqual(channel === 'form_id' ? USERS : USERS - UNDER_WAY)
          for (const { state } of ended) expect(['delivered', 'unknown']).toContain(state)
          expect(world.reminded().length).toBe(new Set(world.reminded()).size)
          await world.expectSound()
        } finally {
          await world.close()
        }
      },
    )
  })
})
