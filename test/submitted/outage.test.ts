import { describe, expect, test } from 'vitest'
import type { FaultSpec } from '../../src/sandbox/faults.js'
import { requeueMany } from '../../src/submitted/requeue-many.js'
import { findMessage } from '../../src/submitted/status.js'
import { createSubmittedWorker } from '../../src/submitted/worker.js'
import { HOUR_MS, MINUTE_MS, OFFICIAL_PATH, SEND_PATH, SUBSCRIBE_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { submitTo } from '../helpers/submitted.js'
import { openIdOf, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

// @module-tag long

const CHANNELS = [
  { channel: 'form_id', path: SEND_PATH },
  { channel: 'subscribe', path: SUBSCRIBE_PATH },
  { channel: 'official', path: OFFICIAL_PATH },
] as const

const TROUBLES: { name: string; fault: FaultSpec; requests: number; ends?: string[] }[] = [
  { name: 'an outage', fault: { kind: 'errcode', errcode: -1 }, requests: 50 },
  { name: 'a spent quota', fault: { kind: 'errcode', errcode: 45009 }, requests: 50 },
  // The client asks once more with a fresh token.
  { name: 'a refused token', fault: { kind: 'errcode', errcode: 40001 }, requests: 100 },
  // Three attempts each, and those that were under way when the template was held up.
  { name: 'a wrong template', fault: { kind: 'errcode', errcode: 40037 }, requests: 60, ends: ['dead'] },
  // An attempt may have arrived, so where nothing tells it is not repeated.
  { name: 'a WeChat that hangs', fault: { kind: 'hang' }, requests: 50, ends: ['unknown'] },
]

const FIRST = 1
const LAST = 40
const STEPS = 12
const STEP_MS = 15 * MINUTE_MS

describe.each(dialects)('submitted messages in three hours of trouble on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })
  const { db } = world
  const { appId } = world.account
  const stateOf = async ({ id }: { id: number }) => (await findMessage(db, appId, id)).state
  const statesOf = (messages: { id: number }[]) => Promise.all(messages.map(stateOf))
  const permitsLeft = async () =>
    Promise.all(users(FIRST, LAST).ids.map(async (id) => (await world.counterOf(id))?.count))

  describe.each(CHANNELS)('by $channel', ({ channel, path }) => {
    test.each(TROUBLES)(
      '$name loses none, sends none twice, asks rarely, and holds up no not_after',
      async ({ fault, requests, ends = [] }) => {
        const account = { ...world.account, channel }
        const all = users(FIRST, LAST)
        await world.has(
          { form_id: all.permits(3), subscribe: all.subscriptions(3), official: all.following() }[channel],
        )
        const now = world.clock.now()
        const asked = (from: number, to: number, until: number) =>
          submitTo(world, users(from, to).ids, { not_after: until, account: { channel } })
        const patient = await asked(FIRST, LAST - 4, now + 20 * HOUR_MS)
        const urgent = await asked(LAST - 3, LAST, now + HOUR_MS)
        const workerWith = (timeoutMs: number) =>
          createSubmittedWorker(world.startProcess({ concurrency: 4, timeoutMs }), account)
        let worker = workerWith(fault.kind === 'hang' ? 100 : 5_000)
        const step = async () => {
          world.clock.advance(STEP_MS)
          await worker.workDue()
        }

        world.wechat.addFault({ ...fault, match: { path } })
        await worker.workDue()
        for (let i = 0; i < STEPS; i++) {
          await step()
          if (world.clock.now() < now + HOUR_MS) continue
          for (const state of await statesOf(urgent)) expect(['expired', ...ends]).toContain(state)
        }
        const answers = Object.values(world.wechat.stats().answers[path] ?? {})
        expect(answers.reduce((sum, times) => sum + times, 0)).toBeLessThanOrEqual(requests)
        for (const state of await statesOf(patient)) expect(['queued', 'retry', ...ends]).toContain(state)
        expect(world.wechat.ledger()).toEqual([])

        world.wechat.clearFaults()
        // With so little patience, a busy machine would look like a WeChat that hangs.
        if (fault.kind === 'hang') {
          await worker.stop()
          worker = workerWith(5_000)
        }
        for (let i = 0; i < 3; i++) await step()
        const { signal } = new AbortController()
        await requeueMany(db, account, { all: true }, { notAfter: undefined, signal, now: world.clock.now })
        await worker.workDue()
        const states = await statesOf(patient)
        for (const state of states) expect(['delivered', ...ends]).toContain(state)
        expect(states).not.toContain('dead')
        const arrived = world.wechat.ledger().map(({ open_id }) => open_id)
        const delivered = patient.flatMap((_, i) => (states[i] === 'delivered' ? [openIdOf(FIRST + i)] : []))
        expect(arrived.sort()).toEqual(delivered.sort())
        expect(delivered.length).toBeGreaterThan(0)
        // What is delivered or in doubt has its permit; what expired has given it back.
        const kept = [...states, ...(await statesOf(urgent))].map(
          (state) => state === 'delivered' || state === 'unknown',
        )
        const before = channel === 'official' ? 0 : 3
        expect(await permitsLeft()).toEqual(kept.map((is) => before - (is && channel !== 'official' ? 1 : 0)))
        await worker.stop()
      },
    )
  })
})
