import { describe, expect, test } from 'vitest'
import { cancelMessage } from '../../src/submitted/cancel.js'
import { requeueMessage } from '../../src/submitted/requeue.js'
import { findMessage, listMessages } from '../../src/submitted/status.js'
import { createSubmittedWorker } from '../../src/submitted/worker.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, SEND_PATH, TEMPLATE_ID } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { user, users } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('submitted messages on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })

  const stateOf = async (id: number | undefined) =>
    (await findMessage(world.db, world.account.appId, id ?? 0)).state

  test('take their permit at once, are sent with their own texts, and keep each attempt', async () => {
    await world.has(users(1, 3).permits(2))
    const accepted = await submitTo(world, [1, 2, 3])
    expect(accepted.map(({ state }) => state)).toEqual(['queued', 'queued', 'queued'])
    expect(await world.counterOf(2)).toMatchObject({ count: 1, last_date: 0 })
    expect(await stateOf(accepted[1]?.id)).toBe('queued')

    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 3 })
    const message = await findMessage(world.db, world.account.appId, accepted[1]?.id ?? 0)
    const [oldest] = await world.permitsOf(2)
    expect(message).toMatchObject({ state: 'delivered', permit_id: oldest?.id })
    expect(message.attempts).toMatchObject([{ outcome: 'accepted', answer: null, permit_id: oldest?.id }])
    expect(world.wechat.ledger().map(({ data }) => data)).toContainEqual({
      keyword2: { value: '取件码 8-2-1024' },
      keyword4: { value: '今天' },
      keyword1: { value: '您的包裹 2 已到' },
    })
  })

  test('are no_permit at once where the user has none, and spend nothing', async () => {
    await world.has(user(1).permits(1), user(2))
    const [first, none] = await submitTo(world, [1, 2])
    const [second] = await submitTo(world, [1])
    expect([first?.state, none?.state, second?.state]).toEqual(['queued', 'no_permit', 'no_permit'])
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 1 })
    expect(await stateOf(none?.id)).toBe('no_permit')
  })

  test('of one user take one permit each, the oldest that is valid when they may go out', async () => {
    await world.has(user(1).permits(3))
    const [one, day, two] = await world.permitsOf(1)
    const now = world.clock.now()
    await submitTo(world, [1], { not_before: now + 1.5 * DAY_MS, not_after: now + 3 * DAY_MS })
    await submitTo(world, [1, 1])
    expect((await world.messages()).map(({ permit_id }) => permit_id)).toEqual([day?.id, one?.id, two?.id])
  })

  test('wait for not_before, and are expired with their permit given back at not_after', async () => {
    await world.has(user(1).permits(1), user(2).permits(1))
    const now = world.clock.now()
    const [later] = await submitTo(world, [1], { not_before: now + HOUR_MS, not_after: now + 2 * HOUR_MS })
    const [late] = await submitTo(world, [2], { not_after: now + MINUTE_MS })
    const process = world.startProcess()
    world.clock.set(now + MINUTE_MS)
    expect(await sendSubmitted(world, process)).toMatchObject({ delivered: 0, cancelled: 1 })
    expect([await stateOf(later?.id), await stateOf(late?.id)]).toEqual(['queued', 'expired'])
    expect(await world.counterOf(2)).toMatchObject({ count: 1 })
    world.clock.set(now + HOUR_MS)
    expect(await sendSubmitted(world, process)).toMatchObject({ delivered: 1 })
  })

  test('are cancelled while they wait, again without effect, and not once they are sent', async () => {
    await world.has(users(1, 2).permits(1))
    const [first, second] = await submitTo(world, [1, 2])
    const cancel = (id = 0) => cancelMessage(world.db, world.account.appId, id, world.clock.now())
    expect(await cancel(first?.id)).toMatchObject({ state: 'cancelled' })
    expect(await cancel(first?.id)).toMatchObject({ state: 'cancelled' })
    expect(await world.counterOf(1)).toMatchObject({ count: 1 })
    expect(await sendSubmitted(world, world.startProcess())).toMatchObject({ delivered: 1 })
    await expect(cancel(second?.id)).rejects.toMatchObject({ code: 'message_sent' })
    await expect(cancel(77)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('that a mistake of ours met three times are dead, and go out once it is mended and they are queued again', async () => {
    await world.has(user(1).permits(2))
    const [message] = await submitTo(world, [1])
    const id = message?.id ?? 0
    const process = world.startProcess()
    world.wechat.addFault({ kind: 'errcode', errcode: 47003, match: { path: SEND_PATH }, times: 3 })
    for (let i = 0; i < 3; i++) {
      await sendSubmitted(world, process)
      world.clock.set(world.clock.now() + HOUR_MS)
    }
    const dead = await findMessage(world.db, world.account.appId, id)
    expect(dead).toMatchObject({ state: 'dead' })
    expect(dead.attempts.map(({ answer }) => answer?.errcode)).toEqual([47003, 47003, 47003])
    expect(dead.meaning).toContain('47003')
    expect(await world.counterOf(1)).toMatchObject({ count: 2 })
    expect((await listMessages(world.db, world.account.appId, { state: 'dead', limit: 10 })).items).toEqual([
      dead,
    ])

    const queued = await requeueMessage(world.db, world.account, { id }, world.clock.now())
    expect(queued).toMatchObject({ state: 'queued', requeues: 1 })
    await expect(requeueMessage(world.db, world.account, { id }, world.clock.now())).rejects.toMatchObject({
      code: 'message_not_dead',
    })
    expect(await sendSubmitted(world, process)).toMatchObject({ delivered: 1 })
    expect((await findMessage(world.db, world.account.appId, id)).attempts).toHaveLength(4)
  })

  test('are sent once by whichever process is first, and taken over from one that died', async () => {
    await world.has(users(1, 40).permits(1))
    await submitTo(world, users(1, 40).ids)
    const tallies = await Promise.all(
      [world.startProcess(), world.startProcess()].map((process) => sendSubmitted(world, process)),
    )
    expect(tallies.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(40)
    expect(world.wechat.ledger()).toHaveLength(40)
  })

  test('that met only an outage wait, and cost an attempt each at most', async () => {
    await world.has(users(1, 30).permits(1))
    await submitTo(world, users(1, 30).ids)
    const process = world.startProcess({ concurrency: 4 })
    const worker = createSubmittedWorker(process, world.account)
    world.wechat.addFault({ kind: 'errcode', errcode: -1, match: { path: SEND_PATH }, times: 1_000 })
    await worker.workDue()
    expect(world.sends()).toBeLessThan(10)
    await worker.workDue()
    expect(world.sends()).toBeLessThan(10)
    world.wechat.clearFaults()
    world.clock.set(world.clock.now() + MINUTE_MS)
    expect(await worker.workDue()).toMatchObject({ delivered: 30 })
  })

  test('of a template that WeChat refuses wait, while those of another one go out', async () => {
    await world.has(users(1, 40).permits(1))
    await submitTo(world, users(1, 20).ids, { template_id: 'WRONG', account: { templates: ['WRONG'] } })
    await submitTo(world, users(21, 40).ids)
    const process = world.startProcess({ concurrency: 2 })
    expect(await sendSubmitted(world, process)).toMatchObject({ delivered: 20 })
    expect(world.sends()).toBeLessThan(20 + 12)
    const open = await listMessages(world.db, world.account.appId, { templateId: 'WRONG', limit: 100 })
    expect(new Set(open.items.map(({ state }) => state))).toEqual(new Set(['queued', 'retry']))
    expect(TEMPLATE_ID).not.toBe('WRONG')
  })
})
