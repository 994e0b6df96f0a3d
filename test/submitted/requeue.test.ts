import { describe, expect, test } from 'vitest'
import type { Account } from '../../src/account.js'
import { MAX_OPEN_PER_USER } from '../../src/submitted/add-messages.js'
import { cancelMessage } from '../../src/submitted/cancel.js'
import { requeueMessage } from '../../src/submitted/requeue.js'
import { requeueMany } from '../../src/submitted/requeue-many.js'
import { findMessage } from '../../src/submitted/status.js'
import { eraseUser } from '../../src/user-data/erase.js'
import { listDeliveries } from '../../src/webhooks/log.js'
import { setWebhook } from '../../src/webhooks/store.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, OFFICIAL_PATH, SEND_PATH, SUBSCRIBE_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { addPermits, silentLog } from '../helpers/rows.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { user } from '../helpers/users.js'
import { useWorld } from '../helpers/world.js'

const PATHS = { form_id: SEND_PATH, subscribe: SUBSCRIBE_PATH, official: OFFICIAL_PATH }
const MOVES = [
  ['form_id', 'subscribe'],
  ['subscribe', 'form_id'],
  ['official', 'subscribe'],
  ['form_id', 'official'],
] as const

describe.each(dialects)('a dead letter that is queued again on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'clean books' })
  const { db } = world
  const appId = () => world.account.appId
  const find = (id: number) => findMessage(db, appId(), id)
  const requeue = (id: number, account: Partial<Account> = {}) =>
    requeueMessage(db, { ...world.account, ...account }, { id }, world.clock.now())

  /** Submits a message to user 1, and has WeChat answer it with a mistake of ours until it is dead. */
  async function deadLetter(channel: Account['channel'] = 'form_id'): Promise<number> {
    const [message] = await submitTo(world, [1], { account: { channel } })
    world.wechat.addFault({ kind: 'errcode', errcode: 40037, match: { path: PATHS[channel] }, times: 3 })
    const process = world.startProcess()
    for (let i = 0; i < 3; i++) {
      await sendSubmitted(world, process, { channel })
      world.clock.set(world.clock.now() + 2 * MINUTE_MS)
    }
    const { id, state } = await find(message?.id ?? 0)
    expect(state).toBe('dead')
    return id
  }

  test.each(MOVES)(
    'goes out on %s, with a permit of that kind, though the account is on %s by now',
    async (from, to) => {
      await world.has(user(1).permits(2).subscriptions(2).following())
      const id = await deadLetter(from)
      await requeue(id, { channel: to })
      await sendSubmitted(world, world.startProcess(), { channel: to })
      expect(await find(id)).toMatchObject({ state: 'delivered', channel: from })
      const spent = (await world.permitsOf(1)).filter(({ status }) => status !== 0)
      const kinds = spent.map(({ template_id }) => (template_id === null ? 'form_id' : 'subscribe'))
      expect(kinds).toEqual(from === 'official' ? [] : [from])
    },
  )

  test('stays dead without a permit of its kind, whatever others there are', async () => {
    await world.has(user(1).permits(1).subscriptions(1))
    const id = await deadLetter('subscribe')
    await submitTo(world, [1], { account: { channel: 'subscribe' } })
    await expect(requeue(id, { channel: 'form_id' })).rejects.toMatchObject({ code: 'no_permit' })
    expect((await find(id)).state).toBe('dead')
  })

  test('is none any more once its user was erased, so the next one of that number gets no empty message', async () => {
    await setWebhook(db, appId(), true, world.clock.now())
    await world.has(user(1).permits(2))
    const id = await deadLetter()
    await eraseUser({ db, appId: appId(), log: silentLog }, { userId: 1, traceId: 't' }, world.clock.now())
    await addPermits(db, [{ user_id: 1, expire: world.clock.now() + 5 * DAY_MS }])
    await expect(requeue(id)).rejects.toMatchObject({ code: 'message_not_dead' })
    const options = { notAfter: undefined, signal: new AbortController().signal, now: world.clock.now }
    expect(await requeueMany(db, world.account, { all: true }, options)).toMatchObject({
      queued: [],
      refused: [],
    })
    expect(await find(id)).toMatchObject({ state: 'cancelled', data: {}, attempts: [{}, {}, {}] })
    const { items } = await listDeliveries(db, appId(), { limit: 9 })
    expect(items.map(({ type }) => type)).toEqual(['message.cancelled', 'message.dead'])
  })

  test.each(['form_id', 'subscribe', 'official'] as const)(
    'on %s finds no room beside as many messages of its user as may wait, and the answer says which did not and why',
    async (channel) => {
      await world.has(
        user(1).permits(50).subscriptions(50).following(),
        user(2).permits(9).subscriptions(9).following(),
      )
      const account = { channel }
      const users = [...Array.from({ length: 6 }, () => 1), 2]
      const ids = (await submitTo(world, users, { account })).map(({ id }) => id)
      world.wechat.addFault({ kind: 'errcode', errcode: 40037, match: { path: PATHS[channel] } })
      const process = world.startProcess()
      for (let i = 0; i < 3; i++) {
        await sendSubmitted(world, process, account)
        world.clock.set(world.clock.now() + 2 * MINUTE_MS)
      }
      world.wechat.clearFaults()
      const open = Array.from({ length: MAX_OPEN_PER_USER - 4 }, () => 1)
      const waiting = await submitTo(world, open, { account, not_before: world.clock.now() + HOUR_MS })
      const options = { notAfter: undefined, signal: new AbortController().signal, now: world.clock.now }
      const { queued, refused, counts } = await requeueMany(db, world.account, { all: true }, options)
      expect(queued).toEqual([...ids.slice(0, 4), ids[6]])
      const code = 'too_many_messages'
      expect(refused).toEqual(
        ids.slice(4, 6).map((id) => ({ id, code, message: expect.stringContaining(`${MAX_OPEN_PER_USER}`) })),
      )
      expect(counts).toEqual({ queued: 5, refused: { [code]: 2 } })
      await expect(requeue(ids[4] ?? 0)).rejects.toMatchObject({ code })
      await cancelMessage(db, appId(), waiting[0]?.id ?? 0, world.clock.now())
      expect(await requeue(ids[4] ?? 0)).toMatchObject({ state: 'queued', requeues: 1 })
      expect(await sendSubmitted(world, process, account)).toMatchObject({ delivered: 6 })
    },
  )
})
