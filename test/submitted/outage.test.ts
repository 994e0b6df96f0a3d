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

/** The most requests of one message in so many hours: about ten until its pauses are long, then one in five minutes. */
const mostIn = (hours: number): number => 12 + 12 * hours

describe.each(dialects)('a queue of one or two messages in an outage of hours on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })
  const HOURS = 6

  const AWAY: { name: string; fault: FaultSpec }[] = [
    { name: 'is busy (-1)', fault: { kind: 'errcode', errcode: -1 } },
    { name: 'answers 503', fault: { kind: 'http_status', status: 503 } },
  ]
  const cases = CHANNELS.flatMap((channel) => AWAY.map((away) => ({ ...channel, ...away })))

  test.each(cases)(
    'outlasts a WeChat that $name by $channel, and expires only where its not_after comes',
    async ({ channel, path, fault }) => {
      const account = { ...world.account, channel }
      const all = users(1, 2)
      await world.has(
        { form_id: all.permits(2), subscribe: all.subscriptions(2), official: all.following() }[channel],
      )
      const now = world.clock.now()
      const until = { account: { channel } }
      const [patient] = await submitTo(world, [1], { ...until, not_after: now + 20 * HOUR_MS })
      const [urgent] = await submitTo(world, [2], { ...until, not_after: now + HOUR_MS })
      const worker = createSubmittedWorker(world.startProcess(), account)
      const find = (id = 0) => findMessage(world.db, account.appId, id)
      world.wechat.addFault({ ...fault, match: { path } })
      while (world.clock.now() < now + HOURS * HOUR_MS) {
        await worker.workDue()
        world.clock.advance(2 * MINUTE_MS)
      }
      expect(await find(patient?.id)).toMatchObject({ state: 'retry' })
      // What may have arrived is not called expired.
      expect(['expired', 'unknown']).toContain((await find(urgent?.id)).state)
      expect((await find(patient?.id)).attempts.length).toBeLessThanOrEqual(mostIn(HOURS))
      expect((await find(patient?.id)).attempts.length).toBeGreaterThan(HOURS)
      expect((await find(urgent?.id)).attempts.length).toBeLessThanOrEqual(mostIn(1))

      world.wechat.clearFaults()
      world.clock.advance(10 * MINUTE_MS)
      expect(await worker.workDue()).toMatchObject({ delivered: 1 })
      expect(await find(patient?.id)).toMatchObject({ state: 'delivered' })
      await worker.stop()
    },
  )

  test('and a first answer that blames our settings is not believed after it either', async () => {
    await world.has(users(1, 1).permits(2))
    const now = world.clock.now()
    const [message] = await submitTo(world, [1], { not_after: now + 20 * HOUR_MS })
    const worker = createSubmittedWorker(world.startProcess(), world.account)
    const stateOf = async () => (await findMessage(world.db, world.account.appId, message?.id ?? 0)).state
    const workFor = async (steps: number) => {
      for (let i = 0; i < steps; i++) {
        await worker.workDue()
        world.clock.advance(15 * MINUTE_MS)
      }
    }
    world.wechat.addFault({ kind: 'errcode', errcode: 45011, match: { path: SEND_PATH } })
    await workFor(20)
    world.wechat.clearFaults()
    world.wechat.addFault({ kind: 'errcode', errcode: 40037, match: { path: SEND_PATH } })
    await workFor(2)
    expect(await stateOf()).toBe('retry')
    await workFor(1)
    expect(await stateOf()).toBe('dead')
    await worker.stop()
  })
})

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
