import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { createClock } from '../helpers/clock.js'
import { APP_ID, APP_SECRET } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { ADMIN_PASSWORD, signedIn } from '../helpers/operator.js'
import { API_KEY, startTestService, type TestService } from '../helpers/service.js'
import { SECRET, toldOf } from '../helpers/webhooks.js'
import { startWechatStub, type WechatStub } from '../helpers/wechat.js'

const OPEN_ID = 'oStoryOfAParcel00000000000'
const [USER, STRANGER] = [9001, 9002]
const TEMPLATE = 'parcel-template'
const CALLBACK = {
  token: 'TokenOfTheTests2026',
  encodingAesKey: 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ',
}
const EVENTS = { subscribe: 'subscribe_msg_sent_event', official: 'TEMPLATESENDJOBFINISH' }
const authorization = `Bearer ${API_KEY}`

interface Message {
  state: string
  permit_id: number | null
  delivery_status: string | null
  msgid: string | null
  attempts: { outcome: string; msgid: string | null }[]
}

describe.each(
  dialects.flatMap((dialect) => [
    { dialect, channel: 'subscribe' as const },
    { dialect, channel: 'official' as const },
  ]),
)('a submitted message on the channel $channel, on $dialect', ({ dialect, channel }) => {
  const clock = createClock(Date.parse('2026-11-20T15:00:00+08:00'))
  let wechat: Sandbox
  let service: TestService
  let backend: WechatStub

  beforeAll(async () => {
    backend = await startWechatStub()
    wechat = await startSandbox({
      now: clock.now,
      accounts: [
        {
          appId: APP_ID,
          secret: APP_SECRET,
          channel,
          templates: { [TEMPLATE]: ['thing1', 'character_string2'] },
        },
      ],
    })
    service = await startTestService(dialect, {
      env: {
        ADMIN_PASSWORD,
        WX_API_BASE_URL: wechat.url,
        WX_CHANNEL: channel,
        WX_CALLBACK_TOKEN: CALLBACK.token,
        WX_ENCODING_AES_KEY: CALLBACK.encodingAesKey,
        TEMPLATES: TEMPLATE,
        WEBHOOK_URL: `${backend.url}/told`,
        WEBHOOK_SECRET: SECRET,
      },
      now: clock.now,
    })
    const url = `${service.url}/wechat/callback`
    wechat.control.configureCallback({ ...CALLBACK, url, mode: 'safe', format: 'xml' })
    await mayBeSentTo[channel]()
    service.startSchedule()
  })
  afterAll(async () => {
    await service.close()
    await wechat.close()
    await backend.close()
  })

  const mayBeSentTo = {
    async subscribe() {
      wechat.control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE })
      const report = { open_id: OPEN_ID, user_id: USER, template_id: TEMPLATE, result: 'accept' }
      expect((await service.post('/v1/subscriptions', report)).status).toBe(201)
    },
    async official() {
      wechat.control.follow({ openId: OPEN_ID })
      const body = JSON.stringify({ open_id: OPEN_ID, user_id: USER })
      const headers = { authorization, 'content-type': 'application/json' }
      expect((await service.request('PUT', '/v1/users', { body, headers })).status).toBe(200)
    },
  }
  const submit = async (user_id: number) => {
    const data = { thing1: '您的包裹已到驿站', character_string2: '8-2-1024' }
    const message = { user_id, template_id: TEMPLATE, data }
    return service.post('/v1/messages', message, { 'idempotency-key': `parcel-${user_id}` })
  }
  const find = async (id: number) =>
    (await service.request('GET', `/v1/messages/${id}`, { headers: { authorization } })).body as Message

  test('is seen from the call over sending to WeChat’s event and its webhook, by call and on its page', async () => {
    const answer = await submit(USER)
    expect(answer).toMatchObject({ status: 202, body: { state: 'queued' } })
    const { id } = answer.body as { id: number }
    await eventually('WeChat has it', async () => (await find(id)).state === 'delivered')
    expect(wechat.control.ledger()).toMatchObject([
      { open_id: OPEN_ID, channel, data: { thing1: { value: '您的包裹已到驿站' } } },
    ])

    await eventually('its event', async () => {
      // An event that came before our own settle is looked at again seconds later.
      clock.advance(1_000)
      await service.of().workEvents()
      return (await find(id)).delivery_status !== null
    })
    const message = await find(id)
    expect(message).toMatchObject({
      delivery_status: 'success',
      attempts: [{ outcome: 'accepted', msgid: message.msgid }],
    })
    expect(message.msgid).toMatch(/^\d+$/)
    expect(message.permit_id === null).toBe(channel === 'official')

    await eventually('its backend is told', () => {
      clock.advance(1_000)
      return backend.asked.length === 2
    })
    expect(backend.asked.map((asked) => toldOf(asked).type)).toEqual([
      'message.delivered',
      'message.reported',
    ])

    const operator = await signedIn(service)
    const { text } = await operator.get(`/dashboard/messages/${id}`)
    for (const shown of [
      '您的包裹已到驿站',
      'submitted by shop',
      String(message.msgid),
      `message-${id}`,
      EVENTS[channel],
      'message.reported',
      channel === 'official' ? 'none needed on a service account' : `${message.permit_id}, spent`,
    ])
      expect(text).toContain(shown)
    expect(text.match(/success/g)?.length).toBeGreaterThanOrEqual(2)
    expect(text).not.toContain(OPEN_ID)
    expect((await operator.get(`/dashboard/user/${USER}`)).text).toContain(`href="/dashboard/messages/${id}"`)
    const list = await operator.get('/dashboard/messages?state=delivered')
    expect(list.text).toContain(`href="/dashboard/messages/${id}"`)
  })

  test('to somebody who cannot get it is told at once, and sends nothing', async () => {
    const before = wechat.control.ledger().length
    const answer = await submit(STRANGER)
    if (channel === 'official') expect(answer).toMatchObject({ body: { error: { code: 'user_not_bound' } } })
    else {
      expect(answer).toMatchObject({ status: 202, body: { state: 'no_permit' } })
      const { id } = answer.body as { id: number }
      const { text } = await (await signedIn(service)).get(`/dashboard/messages/${id}`)
      expect(text).toContain('no permit')
    }
    expect(wechat.control.ledger()).toHaveLength(before)
  })
})
