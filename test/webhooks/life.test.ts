import { beforeEach, describe, expect, test } from 'vitest'
import { acceptPush } from '../../src/callbacks/accept.js'
import { type CallbackSecrets, checkPush, readPush } from '../../src/callbacks/open.js'
import { createCallbackWorker } from '../../src/callbacks/process.js'
import { examineWebhook } from '../../src/operations/webhook-check.js'
import { purgeOld } from '../../src/retention/purge.js'
import { requeueMessage } from '../../src/submitted/requeue.js'
import { eraseUser } from '../../src/user-data/erase.js'
import { listDeliveries, redeliver } from '../../src/webhooks/log.js'
import { setWebhook } from '../../src/webhooks/store.js'
import type { WebhookWorker } from '../../src/webhooks/worker.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, SEND_PATH } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { compose, eventMessage } from '../helpers/pushes.js'
import { silentLog } from '../helpers/rows.js'
import { sendSubmitted, submitTo } from '../helpers/submitted.js'
import { openIdOf, user } from '../helpers/users.js'
import { PATIENCE_MS, startWebhooks, toldOf } from '../helpers/webhooks.js'
import { hang, json, startWechatStub, type WechatStub } from '../helpers/wechat.js'
import { DEMO, useWorld } from '../helpers/world.js'

const SUBSCRIBE_PATH = '/cgi-bin/message/subscribe/send'

describe.each(dialects)('what the webhook is told of, on %s', (dialect) => {
  const world = useWorld(dialect, { leaves: 'anything' })
  const { appId } = world.account
  const subscribe = { ...world.account, channel: 'subscribe' as const }
  let receiver: WechatStub
  let worker: WebhookWorker

  beforeEach(async () => {
    receiver = await startWechatStub()
    worker = await startWebhooks(world, receiver, { timeoutMs: PATIENCE_MS })
    return async () => {
      await worker.stop()
      await receiver.close()
    }
  })

  const now = () => world.clock.now()
  const later = (ms: number) => world.clock.set(now() + ms)
  const rows = () => world.db('wx_webhook_delivery').orderBy('id')
  const told = () => receiver.asked.map(toldOf)
  const tellAll = async () => {
    while ((await worker.workDue()) > 0);
  }
  async function sendOne(account = {}): Promise<number> {
    const [message] = await submitTo(world, [1], { account })
    await sendSubmitted(world, world.startProcess(), account)
    return message?.id ?? 0
  }

  /** WeChat's event about a message, as it is pushed and processed. */
  async function report(msgid: string, fields: Record<string, string>): Promise<void> {
    const secrets: CallbackSecrets = { appId, token: 'TokenOfTheTests2026', encodingAesKey: '' }
    const sender = { ...secrets, mode: 'plain', format: 'json' } as const
    const item = { TemplateId: DEMO.templateId, MsgID: msgid, ...fields }
    const of = { name: 'subscribe_msg_sent_event', openId: openIdOf(1), at: now(), items: [item] }
    const push = compose(sender, eventMessage(sender, of), now())
    const opened = readPush(secrets, checkPush(secrets, push.query, push.body))
    await acceptPush(world.db, { appId, push: opened, traceId: 't' }, now())
    const events = createCallbackWorker({ db: world.db, account: subscribe, log: silentLog, now })
    await events.workDue()
    await events.stop()
  }

  test('is the event of WeChat as well, once', async () => {
    await world.has(user(1).subscriptions(1))
    const id = await sendOne(subscribe)
    const { msgid } = await world.db('wx_push_message').where({ id }).first()
    const fields = { ErrorCode: '0', ErrorStatus: 'success' }
    await report(msgid, fields)
    later(1_000)
    await report(msgid, fields)
    await tellAll()
    expect(told().map(({ type }) => type)).toEqual(['message.delivered', 'message.reported'])
    expect(told()[1]?.message).toMatchObject({ id, state: 'delivered', delivery_status: 'success' })
  })

  test('is that an unknown message was delivered after all', async () => {
    await world.has(user(1).subscriptions(1))
    world.wechat.addFault({ kind: 'cut_after', match: { path: SUBSCRIBE_PATH }, times: 1 })
    await sendOne(subscribe)
    await tellAll()
    const [sent] = world.wechat.ledger()
    await report(String(sent?.msgid ?? ''), { ErrorCode: '0', ErrorStatus: 'success' })
    await tellAll()
    expect(told().map(({ type, message }) => [type, message.state])).toEqual([
      ['message.unknown', 'unknown'],
      ['message.delivered', 'delivered'],
      ['message.reported', 'delivered'],
    ])
  })

  test('is that a message is dead, and that it went out when it was queued again', async () => {
    await world.has(user(1).permits(2))
    const [message] = await submitTo(world, [1])
    const id = message?.id ?? 0
    const process = world.startProcess()
    world.wechat.addFault({ kind: 'errcode', errcode: 47003, match: { path: SEND_PATH }, times: 3 })
    for (let i = 0; i < 3; i++) {
      await sendSubmitted(world, process)
      later(HOUR_MS)
    }
    await requeueMessage(world.db, world.account, { id }, now())
    await sendSubmitted(world, process)
    await tellAll()
    expect(told().map(({ type }) => type)).toEqual(['message.dead', 'message.delivered'])
  })

  test('is nothing more, once the account has no webhook', async () => {
    await setWebhook(world.db, appId, false, now())
    await world.has(user(1).permits(1))
    await sendOne()
    expect(await rows()).toEqual([])
  })

  test('has no text of a user who was erased, and keeps nothing personal', async () => {
    await world.has(user(1).permits(2))
    await sendOne()
    const [waiting] = await submitTo(world, [1], { not_before: now() + HOUR_MS })
    await eraseUser({ db: world.db, appId, log: silentLog }, { userId: 1, traceId: 't' }, now())
    await tellAll()
    expect(told().map(({ type }) => type)).toEqual(['message.delivered', 'message.cancelled'])
    expect(told()[1]?.message.id).toBe(waiting?.id)
    const said = receiver.asked.map(({ body }) => body).join()
    expect(said).not.toContain('包裹')
    expect(said).not.toContain(openIdOf(1))
    expect(JSON.stringify(await rows())).not.toContain(openIdOf(1))
  })

  test('is deleted together with its message', async () => {
    await world.has(user(1).permits(1))
    await sendOne()
    await tellAll()
    later(8 * DAY_MS)
    const deps = { db: world.db, log: silentLog, signal: new AbortController().signal }
    await purgeOld(deps, { appId, timezone: world.account.timezone, retentionDays: 30 }, now())
    expect(await rows()).toHaveLength(1)
    later(40 * DAY_MS)
    await purgeOld(deps, { appId, timezone: world.account.timezone, retentionDays: 30 }, now())
    expect(await rows()).toEqual([])
    expect(await world.db('wx_submitted_message')).toEqual([])
  })

  test('waits for its receiver without keeping a message from being sent', async () => {
    await world.has(user(1).permits(2))
    receiver.otherwise(hang)
    await sendOne()
    const telling = worker.workDue()
    await receiver.arrived(1)
    await sendOne()
    expect(world.wechat.ledger()).toHaveLength(2)
    await telling
  })

  test('is given up where the message was deleted by hand', async () => {
    await world.has(user(1).permits(1))
    const id = await sendOne()
    await world.db('wx_submitted_message').where({ message_id: id }).delete()
    await tellAll()
    expect(receiver.asked).toEqual([])
    expect(await rows()).toMatchObject([{ state: 'failed', error: 'MESSAGE_DELETED' }])
  })

  test('can be told again under the same id, but not while it is being told', async () => {
    await world.has(user(1).permits(1))
    await sendOne()
    await tellAll()
    const [first] = (await listDeliveries(world.db, appId, { limit: 10 })).items
    const id = first?.id ?? 0
    expect(await redeliver(world.db, appId, id, now())).toMatchObject({ state: 'waiting', attempts: 0 })
    receiver.next(hang)
    const telling = worker.workDue()
    await receiver.arrived(2)
    expect(await redeliver(world.db, appId, id, now())).toMatchObject({ state: 'waiting', attempts: 1 })
    await telling
    expect(await redeliver(world.db, appId, id, now())).toMatchObject({ attempts: 0 })
    await tellAll()
    expect(receiver.asked).toHaveLength(3)
    expect(new Set(told().map((event) => event.id)).size).toBe(1)
    await expect(redeliver(world.db, 'wxOther', id, now())).rejects.toMatchObject({ code: 'not_found' })
  })

  test('is found late, or given up, by doctor', async () => {
    const check = () => examineWebhook(world.db, world.account, now())
    expect(await check()).toMatchObject({ name: 'webhook', status: 'ok' })
    await world.has(user(1).permits(1))
    receiver.otherwise(json({}, 503))
    await sendOne()
    later(11 * MINUTE_MS)
    expect(await check()).toMatchObject({ status: 'warn', fix: expect.stringContaining('serve') })
    await worker.workDue()
    expect(await check()).toMatchObject({
      status: 'warn',
      reason: 'the oldest event has waited for 11 minutes; last answer: HTTP 503',
      reason_zh: '最早的事件已等待 11 分钟；最近一次应答：HTTP 503',
    })
    receiver.otherwise(json({}, 410))
    later(HOUR_MS)
    await tellAll()
    expect(await check()).toMatchObject({
      status: 'warn',
      reason: '1 events of the last day were given up; last answer: HTTP 410',
    })
    later(DAY_MS)
    expect(await check()).toMatchObject({ status: 'ok' })
  })
})
