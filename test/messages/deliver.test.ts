import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { createBrake } from '../../src/messages/brake.js'
import { deliverAll } from '../../src/messages/deliver.js'
import type { Source } from '../../src/messages/delivery.js'
import { takeOver } from '../../src/messages/recovery.js'
import type { Tally } from '../../src/messages/tally.js'
import { createDeadlines } from '../../src/messages/window.js'
import { ACCEPTED, refusal } from '../helpers/answers.js'
import { claimAll, claimOne } from '../helpers/claims.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { heldRequests, sourceOf } from '../helpers/requests.js'
import { timed } from '../helpers/stopwatch.js'
import { user, users } from '../helpers/users.js'
import { type Process, useWorld, without } from '../helpers/world.js'

describe.each(dialects)('delivering on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })

  const deliver = (
    process: Process,
    source: Source,
    options: { signal?: AbortSignal; onProgress?: (tally: Tally) => void } = {},
  ): Promise<Tally> =>
    deliverAll(process, source, {
      kind: 'reminder',
      brake: createBrake(),
      closesAt: createDeadlines(world.account),
      signal: new AbortController().signal,
      ...options,
    })

  test('holds no connection to the database while requests are under way', async () => {
    await world.has(users(1, 8).permits(1))
    const process = world.startProcess({ poolMax: 1, concurrency: 4, timeoutMs: 1_000 })
    // The canary is answered; the others wait for WeChat.
    world.wechat.addFault({
      kind: 'hang',
      after: 1,
      match: { path: '/cgi-bin/message/wxopen/template/send' },
    })
    const running = process.remind()
    await eventually('four requests under way', () => world.sends() === 5)
    await eventually('every connection is free', () => process.db.client.pool.numUsed() === 0)
    expect(await selectRows(process.db, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect(world.sends()).toBe(5)
    process.stop()
    world.wechat.clearFaults()
    expect(await running).toMatchObject({ state: 'paused', delivered: 1, retrying: 4 })
    await world.startProcess().recover()
    expect(world.reminded()).toHaveLength(5)
    await world.expectSound()
  })

  test('uses its whole concurrency also when messages come one by one', async () => {
    await world.has(users(1, 20).permits(1))
    const requests = heldRequests()
    const process = world.startProcess({ concurrency: 4, send: requests.send })
    const delivering = deliver(process, sourceOf(await claimAll(world), 1))
    await eventually('four requests under way', () => requests.underWay === 4)
    requests.answerAll(ACCEPTED)
    expect(await delivering).toMatchObject({ delivered: 20 })
  })

  test('delivering has a bounded number of messages in hand, however fast WeChat is', async () => {
    await world.has(users(1, 4_000).permits(1))
    const source = sourceOf(await claimAll(world), 100)
    let settled = 0
    let most = 0
    const process = world.startProcess({
      concurrency: 32,
      send: async () => {
        most = Math.max(most, source.handedOut - settled)
        return ACCEPTED
      },
    })
    const tally = await deliver(process, source, {
      onProgress: ({ delivered }) => {
        settled = delivered
      },
    })
    expect(tally.delivered).toBe(4_000)
    // Two batches, a request of each worker, and a backlog of verdicts of 999.
    expect(most).toBeLessThanOrEqual(2 * 100 + 2 * 32 + 999)
  })

  test('finishes what is under way when it is stopped, and gives back the rest', async () => {
    await world.has(users(1, 30).permits(1))
    const before = await world.books()
    const requests = heldRequests()
    const stop = new AbortController()
    const process = world.startProcess({ concurrency: 4, send: requests.send })
    const delivering = deliver(process, sourceOf(await claimAll(world)), { signal: stop.signal })
    await eventually('four requests under way', () => requests.underWay === 4)
    stop.abort()
    requests.answerAll(ACCEPTED)
    const tally = await delivering
    expect(tally).toMatchObject({ delivered: 4, cancelled: 26, lost: 0, retry: 0 })
    expect(requests.underWay).toBe(0)
    const sent = (await world.messages()).flatMap((m) => (m.state === 'delivered' ? [m.user_id] : []))
    expect(sent).toHaveLength(4)
    expect(without(await world.books(), sent)).toEqual(without(before, sent))
  })

  test('delivering does not wait for its turn at a slow rate when it is stopped', async () => {
    await world.has(users(1, 40).permits(1))
    const process = world.startProcess({ rate: 0.01, concurrency: 20, send: async () => ACCEPTED })
    const stop = new AbortController()
    const delivering = deliver(process, sourceOf(await claimAll(world), 10), { signal: stop.signal })
    await eventually('the first message', async () =>
      (await world.messages()).some(({ state }) => state === 'delivered'),
    )
    stop.abort()
    // The next turn comes after 100 s.
    const { result: tally, ms } = await timed(() => delivering)
    expect(ms).toBeLessThan(20_000)
    expect(tally).toMatchObject({ delivered: 1, lost: 0 })
    expect(tally.cancelled).toBeGreaterThanOrEqual(20)
  })

  test('delivering does not wait for its turn at a slow rate when the run is halted', async () => {
    await world.has(users(1, 20).permits(1))
    const before = await world.books()
    const process = world.startProcess({ rate: 0.01, concurrency: 20, send: async () => refusal(40037) })
    const tally = await deliver(process, sourceOf(await claimAll(world)))
    expect(tally).toMatchObject({ delivered: 0, cancelled: 20 })
    expect(await world.books()).toEqual(before)
  })

  test('throws when the database goes away, and leaves the rows to be taken over', async () => {
    await world.has(users(1, 20).permits(1))
    const messages = await claimAll(world)
    const requests = heldRequests()
    const dying = world.startProcess({ poolMax: 1, concurrency: 4, send: requests.send })
    const delivering = deliver(dying, sourceOf(messages))
    await eventually('four requests under way', () => requests.underWay === 4)
    await dying.db.destroy()
    requests.answerAll(ACCEPTED)
    await expect(delivering).rejects.toThrow()
    expect((await world.messages()).map(({ state }) => state)).toEqual(Array(20).fill('sending'))

    const heir = world.startProcess()
    expect(await heir.recover()).toMatchObject({ delivered: 0 })
    await world.lapseLeases()
    expect(await heir.recover()).toMatchObject({ delivered: 20 })
    await world.expectSound()
  })

  test('throws too when it cannot claim any more, and settles what it has', async () => {
    await world.has(users(1, 5).permits(1))
    const messages = await claimAll(world)
    const failing: Source = {
      async next() {
        if (messages.length > 0) return messages.splice(0)
        throw new Error('no more')
      },
    }
    const process = world.startProcess({ concurrency: 5, send: async () => ACCEPTED })
    await expect(deliver(process, failing)).rejects.toThrow('no more')
    for (const { state } of await world.messages()) expect(['delivered', 'cancelled']).toContain(state)
  })

  test('keeps the lease of a message whose request takes longer than a lease', async () => {
    await world.has(user(1).permits(1))
    const message = await claimOne(world)
    const requests = heldRequests()
    // A process that a busy machine keeps from running for longer loses it, as it must.
    const leaseMs = 2_000
    const process = world.startProcess({ leaseMs, send: requests.send })
    const delivering = deliver(process, sourceOf([message]))
    const leaseOf = async () => (await world.messages())[0]?.lease_until ?? 0
    // The first renewal replaces the long lease of the claim; the next ones show that it goes on.
    const long = await leaseOf()
    const first = await eventually('the first renewal', async () => {
      const lease = await leaseOf()
      return lease !== long && lease
    })
    await eventually('after its end it is still held', async () => (await leaseOf()) > first + leaseMs)
    const limits = { limit: 10, leaseMs, now: world.clock.now() }
    expect(await takeOver(world.db, world.account, limits)).toMatchObject({ messages: [], taken: 0 })
    requests.answerAll(ACCEPTED)
    expect(await delivering).toMatchObject({ delivered: 1, lost: 0 })
  })

  test('delivering does not send a message whose lease it let lapse', async () => {
    await world.has(user(1).permits(1))
    const message = await claimOne(world)
    let sent = 0
    const process = world.startProcess({
      send: async () => {
        sent++
        return ACCEPTED
      },
    })
    const lapsed = { ...message, lease: { ...message.lease, deadline: performance.now() - 1 } }
    expect(await deliver(process, sourceOf([lapsed]))).toMatchObject({ delivered: 0, lost: 1 })
    expect(sent).toBe(0)
    expect((await world.messages())[0]).toMatchObject({ state: 'sending', claim_id: message.lease.claimId })
  })

  test('goes on to the next permit only when it is reserved', async () => {
    await world.has(user(1).permits(3))
    const message = await claimOne(world)
    const seen: { formId: string; status: number | undefined; count: number | undefined }[] = []
    const process = world.startProcess({
      send: async ({ formId, permitId }) => {
        const permits = await world.permitsOf(1)
        const counter = await world.counterOf(1)
        seen.push({
          formId,
          status: permits.find(({ id }) => id === permitId)?.status,
          count: counter?.count,
        })
        return seen.length < 3 ? refusal(41028) : ACCEPTED
      },
    })
    expect(await deliver(process, sourceOf([message]))).toMatchObject({ delivered: 1 })
    const permits = await world.permitsOf(1)
    expect(seen).toEqual(permits.map(({ form_id }, i) => ({ formId: form_id, status: 1, count: 2 - i })))
    expect(permits.map(({ errcode }) => errcode)).toEqual([41028, 41028, null])
  })
})
