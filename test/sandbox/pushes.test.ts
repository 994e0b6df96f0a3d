import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as wecom from '@wecom/crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DELIVERY_FAILURES } from '../../src/sandbox/people.js'
import { APP_ID, TEMPLATE_ID } from '../helpers/constants.js'
import { DATA, OPEN_ID, START, setup } from './helpers.js'

const TOKEN = 'TokenOfTheTests2026'
const KEY = 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ'

interface Received {
  query: URLSearchParams
  body: string
}

/** Takes pushes down, and answers each with the next of `answers`, at last with success. */
async function receiver(...answers: [status: number, body: string][]) {
  const received: Received[] = []
  const server: Server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    received.push({ query: new URL(request.url ?? '', 'http://here').searchParams, body })
    const [status, text] = answers.shift() ?? [200, 'success']
    response.writeHead(status).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/wechat/callback`, received }
}

const CALLBACK = { token: TOKEN, encodingAesKey: KEY, mode: 'plain', format: 'json', auto: false } as const

describe('the sandbox pushes', () => {
  test('an accepted popup, signed, as JSON: one item as an object, several as a list', async () => {
    const { control } = await setup()
    const { url, received } = await receiver()
    control.configureCallback({ ...CALLBACK, url })
    control.tap({ openId: OPEN_ID, answers: { t1: 'accept' } })
    await control.sendPushes()
    control.tap({ openId: OPEN_ID, answers: { t1: 'accept', t2: 'reject' } })
    await control.sendPushes()

    const item = { TemplateId: 't1', SubscribeStatusString: 'accept', PopupScene: '0' }
    expect(received.map(({ body }) => JSON.parse(body))).toMatchObject([
      {
        FromUserName: OPEN_ID,
        CreateTime: String(START / 1000),
        Event: 'subscribe_msg_popup_event',
        List: item,
      },
      { List: [item, { TemplateId: 't2', SubscribeStatusString: 'reject' }] },
    ])
    const query = received[0]?.query
    const stamp = [query?.get('timestamp') ?? '', query?.get('nonce') ?? ''] as const
    expect(query?.get('signature')).toBe(wecom.getSignature(TOKEN, ...stamp, ''))
    expect(control.pushes().map(({ state }) => state)).toEqual(['answered', 'answered'])
  })

  test('the sandbox pushes in safe mode the encrypted text alone, in compatible mode both, as XML', async () => {
    const { control } = await setup()
    const { url, received } = await receiver()
    for (const mode of ['safe', 'compatible'] as const) {
      control.configureCallback({ ...CALLBACK, url, mode, format: 'xml' })
      control.turnOff({ openId: OPEN_ID, templateIds: ['t1'] })
      await control.sendPushes()
    }
    for (const { query, body } of received) {
      const encrypted = /<Encrypt><!\[CDATA\[(.*?)\]\]>/.exec(body)?.[1] ?? ''
      const signature = wecom.getSignature(
        TOKEN,
        query.get('timestamp') ?? '',
        query.get('nonce') ?? '',
        encrypted,
      )
      expect(query.get('msg_signature')).toBe(signature)
      const { message, id } = wecom.decrypt(KEY, encrypted)
      expect(id).toBe(APP_ID)
      expect(message).toContain('<SubscribeMsgChangeEvent><List><TemplateId><![CDATA[t1]]></TemplateId>')
    }
    expect(received.map(({ body }) => body.includes('<MsgType>'))).toEqual([false, true])
  })

  test('what became of a message, on the two channels that have such an event', async () => {
    const { control, sendTo, send } = await setup()
    const { url, received } = await receiver()
    control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE_ID })
    control.follow({ openId: OPEN_ID })
    control.configureCallback({ ...CALLBACK, url })
    const message = { touser: OPEN_ID, template_id: TEMPLATE_ID, data: DATA }
    await sendTo('/cgi-bin/message/subscribe/send', message)
    await sendTo('/cgi-bin/message/template/send', message)
    await send()
    await control.sendPushes()
    const [subscribe, official] = control.ledger().map(({ msgid }) => msgid)
    expect(
      received.map(({ body }) => JSON.parse(body)).sort((a, b) => (a.Event < b.Event ? -1 : 1)),
    ).toMatchObject([
      { Event: 'TEMPLATESENDJOBFINISH', MsgID: official, Status: 'success' },
      {
        Event: 'subscribe_msg_sent_event',
        List: { MsgID: subscribe, ErrorCode: '0', ErrorStatus: 'success' },
      },
    ])
  })

  test.each([...DELIVERY_FAILURES])('a message that was accepted and lost: %s', async (fails) => {
    const { control, sendTo } = await setup()
    const { url, received } = await receiver()
    control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE_ID })
    control.follow({ openId: OPEN_ID })
    control.setPerson({ openId: OPEN_ID, fails })
    control.configureCallback({ ...CALLBACK, url })
    const message = { touser: OPEN_ID, template_id: TEMPLATE_ID, data: DATA }
    for (const product of ['subscribe', 'template'])
      expect((await sendTo(`/cgi-bin/message/${product}/send`, message)).json.errcode).toBe(0)
    await control.sendPushes()
    expect(control.ledger()).toEqual([])
    const msgids = ['4100000000000000001', '4100000000000000003']
    expect(
      received.map(({ body }) => JSON.parse(body)).sort((a, b) => (a.Event < b.Event ? -1 : 1)),
    ).toMatchObject([
      { Event: 'TEMPLATESENDJOBFINISH', CreateTime: START / 1000, MsgID: msgids[1], Status: fails },
      {
        Event: 'subscribe_msg_sent_event',
        CreateTime: String(START / 1000),
        List: { MsgID: msgids[0], ErrorCode: '-1', ErrorStatus: fails },
      },
    ])
  })

  test('three times, until it is answered with success or nothing', async () => {
    const { control } = await setup()
    const { url, received } = await receiver([500, ''], [200, '{"ok":true}'], [200, ''])
    control.configureCallback({ ...CALLBACK, url })
    control.follow({ openId: OPEN_ID })
    await control.sendPushes()
    expect(received).toHaveLength(3)
    expect(control.pushes()).toMatchObject([
      {
        event: 'subscribe',
        state: 'answered',
        attempts: [{ status: 500 }, { body: '{"ok":true}' }, { body: '' }],
      },
    ])
  })

  test('the sandbox gives a push up after the third try', async () => {
    const { control } = await setup()
    const { url, received } = await receiver([404, 'x'], [404, 'x'], [404, 'x'])
    control.configureCallback({ ...CALLBACK, url })
    control.unfollow({ openId: OPEN_ID })
    await control.sendPushes()
    expect(received).toHaveLength(3)
    expect(control.pushes()).toMatchObject([{ event: 'unsubscribe', state: 'given_up' }])
  })

  test('the sandbox pushes nothing for an account that has given no URL, and on its own where it has', async () => {
    const { control } = await setup()
    control.follow({ openId: OPEN_ID })
    expect(control.pushes()).toEqual([])
    const { url } = await receiver()
    control.configureCallback({ ...CALLBACK, url, auto: true })
    control.grantSubscription({ openId: OPEN_ID, templateId: 't1', count: 3 })
    await control.sendPushes()
    expect(control.pushes().map(({ state }) => state)).toEqual(Array(3).fill('answered'))
  })

  test('what it is told to over HTTP, forged too', async () => {
    const { call, post } = await setup()
    const { url, received } = await receiver()
    const put = (body: object) =>
      call('/sandbox/callback', {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    expect((await put({ url, token: TOKEN, mode: 'safe' })).status).toBe(400)
    expect((await put({ url, token: TOKEN, mode: 'plain', auto: false })).status).toBe(204)
    await post('/sandbox/taps', { open_id: OPEN_ID, answers: { t1: 'accept' } })
    await post('/sandbox/turn-offs', { open_id: OPEN_ID, template_ids: ['t1'] })
    await post('/sandbox/pushes', {
      open_id: OPEN_ID,
      event: 'debug_demo',
      items: [{ a: 'b' }],
      token: 'AnotherTokenOfTests',
    })
    const answer = await post('/sandbox/pushes/send', {})
    expect(JSON.parse(answer.text).pushes).toHaveLength(3)
    const forged = received.find(({ body }) => body.includes('debug_demo'))?.query
    const stamp = [forged?.get('timestamp') ?? '', forged?.get('nonce') ?? ''] as const
    expect(forged?.get('signature')).toBe(wecom.getSignature('AnotherTokenOfTests', ...stamp, ''))
    expect(JSON.parse((await call('/sandbox/pushes')).text).pushes).toHaveLength(3)
  })
})
