import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { inTransaction } from '../../src/db/transaction.js'
import { endSubmitted } from '../../src/messages/submitted-store.js'
import { cancelMessage } from '../../src/submitted/cancel.js'
import { claimDue } from '../../src/webhooks/claim.js'
import type { WebhookWorker } from '../../src/webhooks/worker.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { user, users } from '../helpers/users.js'
import { PATIENCE_MS, SECRET, signatureOf, startWebhooks, toldOf } from '../helpers/webhooks.js'
import {
  cutBeforeAnswer,
  hang,
  hangInBody,
  json,
  redirect,
  refusedUrl,
  startWechatStub,
  text,
  trickle,
  type WechatStub,
} from '../helpers/wechat.js'
import { useWorld } from '../helpers/world.js'

describe.each(dialects)('the webhook on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'sound books' })
  let receiver: WechatStub
  const started: WebhookWorker[] = []

  beforeEach(async () => {
    receiver = await startWechatStub()
  })
  afterEach(async () => {
    await Promise.all(started.splice(0).map((worker) => worker.stop()))
    await receiver.close()
  })

  async function start(...args: [changes?: Parameters<typeof startWebhooks>[2]]): Promise<WebhookWorker> {
    const worker = await startWebhooks(world, receiver, ...args)
    started.push(worker)
    return worker
  }
  const later = (ms: number) => world.clock.set(world.clock.now() + ms)
  const rows = () => world.db('wx_webhook_delivery').orderBy('id')
  const told = () => receiver.asked.map(toldOf)
  /** Ends a message of each user, after the webhook was set. */
  async function deliverTo(count: number): Promise<number[]> {
    await world.has(users(1, count).permits(1))
    const accepted = await submitTo(world, users(1, count).ids)
    await sendSubmitted(world, world.startProcess())
    return accepted.map(({ id }) => id)
  }

  test('is told once how a message ended, with a signature over id, timestamp and body', async () => {
    const worker = await start()
    const [id] = await deliverTo(1)
    expect(await worker.workDue()).toBe(1)
    expect(await worker.workDue()).toBe(0)
    const [asked] = receiver.asked
    if (!asked) throw new Error('the receiver was told nothing')
    expect(receiver.asked).toHaveLength(1)
    expect(asked).toMatchObject({ method: 'POST', path: '/messages' })
    expect(asked.query.get('from')).toBe('reminder')
    expect(asked.headers['content-type']).toBe('application/json')
    expect(asked.headers['webhook-signature']).toBe(signatureOf(SECRET, asked))
    expect(Number(asked.headers['webhook-timestamp'])).toBe(Math.floor(world.clock.now() / 1_000))
    expect(toldOf(asked)).toMatchObject({
      id: asked.headers['webhook-id'],
      type: 'message.delivered',
      app_id: world.account.appId,
      message: { id, state: 'delivered', user_id: 1, attempts: [{ outcome: 'accepted' }] },
    })
    expect(await rows()).toMatchObject([
      { message_id: id, event: 'delivered', state: 'delivered', attempts: 1, http_status: 200, error: null },
    ])
  })

  test('is signed with each secret while one is replaced, and with the bytes that whsec_ stands before', async () => {
    const key = Buffer.from('0123456789abcdefghijklmnopqrstuv')
    const webhook = { url: receiver.url, secrets: [`whsec_${key.toString('base64')}`, SECRET] }
    const worker = await start({ webhook })
    await deliverTo(1)
    await worker.workDue()
    const [asked] = receiver.asked
    if (!asked) throw new Error('the receiver was told nothing')
    expect(asked.headers['webhook-signature']).toBe(
      `${signatureOf(key, asked)} ${signatureOf(SECRET, asked)}`,
    )
  })

  test('is told of every way to end, and of no reminder', async () => {
    const worker = await start()
    await world.has(users(1, 5).permits(1))
    const now = world.clock.now()
    await submitTo(world, [1, 2])
    const [cancelled] = await submitTo(world, [3], { not_before: now + HOUR_MS })
    const [expired] = await submitTo(world, [4], { not_after: now + MINUTE_MS, not_before: now + 1 })
    await cancelMessage(world.db, world.account.appId, cancelled?.id ?? 0, now)
    world.wechat.addFault({ kind: 'errcode', errcode: 43101, match: { path: SEND_PATH }, times: 1 })
    const process = world.startProcess()
    await sendSubmitted(world, process)
    later(MINUTE_MS)
    await sendSubmitted(world, process)
    await process.remind()
    while ((await worker.workDue()) > 0);
    expect(expired).toBeDefined()
    expect(
      told()
        .map(({ type }) => type)
        .sort(),
    ).toEqual(['message.cancelled', 'message.delivered', 'message.expired', 'message.failed'])
  })

  test('that is not there has nothing written down', async () => {
    await deliverTo(2)
    expect(await rows()).toEqual([])
  })

  test('keeps nothing of a change that was rolled back', async () => {
    await start()
    await world.has(user(1).permits(1))
    const [message] = await submitTo(world, [1])
    const now = world.clock.now()
    const undone = inTransaction(world.db, async (trx) => {
      await endSubmitted(trx, [{ id: message?.id ?? 0, state: 'failed' }], now)
      expect(await selectRows(trx, 'SELECT event FROM wx_webhook_delivery')).toEqual([{ event: 'failed' }])
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    expect(await rows()).toEqual([])
  })

  test.each([
    ['answers 500', json({}, 500), 500, null],
    ['redirects', redirect('http://127.0.0.1:1/'), 302, null],
    ['hangs', hang, null, 'TIMEOUT'],
    ['closes the connection', cutBeforeAnswer, null, 'UND_ERR_SOCKET'],
  ])('is told again after ten seconds where it %s', async (_, behaviour, status, error) => {
    const worker = await start(behaviour === hang ? { timeoutMs: PATIENCE_MS } : {})
    receiver.next(behaviour)
    await deliverTo(1)
    await worker.workDue()
    expect(await rows()).toMatchObject([{ state: 'waiting', attempts: 1, http_status: status, error }])
    later(9_999)
    expect(await worker.workDue()).toBe(0)
    later(1)
    expect(await worker.workDue()).toBe(1)
    const [first, second] = receiver.asked
    expect(first?.headers['webhook-id']).toBe(second?.headers['webhook-id'])
    expect(await rows()).toMatchObject([{ state: 'delivered', attempts: 2, http_status: 200 }])
  })

  test.each([
    ['a body of any length', text('x'.repeat(1_000_000))],
    ['a body that never ends', hangInBody],
    ['a body that trickles', trickle('x'.repeat(1_000), 20)],
  ])('counts a 2xx with %s as told', async (_, behaviour) => {
    const worker = await start({ timeoutMs: PATIENCE_MS })
    receiver.next(behaviour)
    await deliverTo(1)
    await worker.workDue()
    expect(await rows()).toMatchObject([{ state: 'delivered', http_status: 200 }])
  })

  test('is told eight times within a day, and then given up', async () => {
    const worker = await start()
    receiver.otherwise(json({}, 503))
    await deliverTo(1)
    const began = world.clock.now()
    const times: number[] = []
    while ((await rows())[0]?.state === 'waiting') {
      world.clock.set(Number((await rows())[0]?.next_attempt_at))
      if ((await worker.workDue()) > 0) times.push((world.clock.now() - began) / 1_000)
      else later(MINUTE_MS)
    }
    expect(times).toHaveLength(8)
    expect(times.at(-1)).toBeLessThan(DAY_MS / 1_000)
    expect(await rows()).toMatchObject([{ state: 'failed', attempts: 8, http_status: 503 }])
    expect(world.logged.filter((line) => line.includes('webhook.given_up'))).toHaveLength(1)
    expect(world.logged.join()).not.toContain(SECRET)
  })

  test('that answers 410 is not told of that event again', async () => {
    const worker = await start()
    receiver.otherwise(json({}, 410))
    await deliverTo(1)
    await worker.workDue()
    expect(await rows()).toMatchObject([{ state: 'failed', attempts: 1, http_status: 410 }])
  })

  test('that is away is asked by one request at a time, and told everything once it is back', async () => {
    const url = await refusedUrl()
    const worker = await start({ webhook: { url, secrets: [SECRET] } })
    await deliverTo(30)
    expect(await worker.workDue()).toBe(8)
    expect(await worker.workDue()).toBe(0)
    later(15_000)
    expect(await worker.workDue()).toBe(1)
    await worker.stop()
    const back = await start()
    later(MINUTE_MS)
    while ((await worker.workDue()) + (await back.workDue()) > 0);
    expect(new Set(told().map(({ id }) => id)).size).toBe(30)
    expect((await rows()).every(({ state }) => state === 'delivered')).toBe(true)
  })

  test('is told the events of one message in their order, each after the one before', async () => {
    const worker = await start()
    await world.has(user(1).permits(2))
    const [message] = await submitTo(world, [1])
    await sendSubmitted(world, world.startProcess())
    const id = message?.id ?? 0
    await world.db('wx_webhook_delivery').insert({
      app_id: world.account.appId,
      message_id: id,
      event: 'reported',
      next_attempt_at: world.clock.now(),
      created_at: world.clock.now(),
    })
    receiver.next(json({}, 500))
    await worker.workDue()
    expect(told().map(({ type }) => type)).toEqual(['message.delivered'])
    later(10_000)
    while ((await worker.workDue()) > 0);
    expect(told().map(({ type }) => type)).toEqual([
      'message.delivered',
      'message.delivered',
      'message.reported',
    ])
  })

  test('is told again what a process had in hand when it died, once its lease is over', async () => {
    const worker = await start()
    await deliverTo(1)
    const { appId } = world.account
    await claimDue(world.db, appId, { limit: 8, leaseMs: MINUTE_MS }, world.clock.now())
    expect(await worker.workDue()).toBe(0)
    later(MINUTE_MS)
    expect(await worker.workDue()).toBe(1)
    expect(await rows()).toMatchObject([{ state: 'delivered', attempts: 2 }])
  })

  test('is told once by two processes at the same time', async () => {
    const two = await Promise.all([start(), start()])
    await deliverTo(60)
    while ((await Promise.all(two.map((worker) => worker.workDue()))).some((attempts) => attempts > 0));
    expect(receiver.asked).toHaveLength(60)
    expect(new Set(told().map(({ id }) => id)).size).toBe(60)
  })
})
