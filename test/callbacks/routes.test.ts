import * as wecom from '@wecom/crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { APP_ID, MINUTE_MS, NOW } from '../helpers/constants.js'
import { compose, eventMessage, type Message, type Push, type Sender } from '../helpers/pushes.js'
import { type Answer, type TestService, useService } from '../helpers/service.js'
import { V1 } from './vectors.js'

const TOKEN = 'TokenOfTheTests2026'
const AES_KEY = 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ'
const OPEN_ID = 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY'
const TEMPLATES = ['template-1', 'template-2']
const MSGID = '4561255354251345929'

const SAFE: Sender = { appId: APP_ID, token: TOKEN, encodingAesKey: AES_KEY, mode: 'safe', format: 'json' }
const PLAIN: Sender = { ...SAFE, mode: 'plain' }

const popup = (sender: Sender, at = NOW): Message =>
  eventMessage(sender, {
    name: 'subscribe_msg_popup_event',
    openId: OPEN_ID,
    at,
    items: TEMPLATES.map((TemplateId) => ({ TemplateId, SubscribeStatusString: 'reject', PopupScene: '0' })),
  })

let now = NOW
// No test here is about how many are refused.
const use = (env: Record<string, string>) =>
  useService('sqlite', { env: { RATE_LIMITS: 'refused:unlimited', ...env }, now: () => now })
/** Services with the callback off, in plain mode, and in safe mode, which is compatible mode too. */
const services = {
  off: use({}),
  plain: use({ WX_CALLBACK_TOKEN: TOKEN }),
  safe: use({ WX_CALLBACK_TOKEN: TOKEN, WX_ENCODING_AES_KEY: AES_KEY }),
}
const serviceOf = (mode: Sender['mode'] | 'off'): TestService =>
  services[mode === 'compatible' ? 'safe' : mode]

const send = (
  mode: Sender['mode'] | 'off',
  push: Partial<Push>,
  path = '/wechat/callback',
): Promise<Answer> =>
  serviceOf(mode).request('POST', `${path}?${new URLSearchParams(push.query ?? {})}`, {
    ...(push.body === undefined ? {} : { body: push.body }),
    headers: push.contentType === undefined ? {} : { 'content-type': push.contentType },
  })
const events = (mode: Sender['mode']) => serviceOf(mode).db('wx_callback_event').orderBy('id')
const rowsOf = async (mode: Sender['mode']) => (await events(mode)).length

async function expectRefused(mode: Sender['mode'], answer: Answer, status: number, reason?: string) {
  expect(answer.status).toBe(status)
  expect(answer.body).toMatchObject({
    error: {
      code: expect.any(String),
      message: expect.stringMatching(/.{20,}/),
      ...(reason === undefined ? {} : { details: { reason } }),
    },
  })
  expect(await rowsOf(mode)).toBe(0)
  expect(await serviceOf(mode).db('wx_callback_nonce')).toEqual([])
}

describe('the check of the URL', () => {
  beforeAll(() => {
    now = Number(V1.timestamp) * 1000
  })
  afterAll(() => {
    now = NOW
  })
  const signature = wecom.getSignature(TOKEN, V1.timestamp, V1.nonce, '')
  const query = (changes: Record<string, string> = {}) => {
    const { timestamp, nonce, echostr } = V1
    return new URLSearchParams({ signature, timestamp, nonce, echostr, ...changes })
  }
  const get = (text: string, path = '/wechat/callback') => serviceOf('safe').request('GET', `${path}?${text}`)

  test.each(['/wechat/callback', `/wechat/callback/${APP_ID}`])(
    'the check of the URL is answered with the echostr: %s',
    async (path) => {
      const answer = await get(query().toString(), path)
      expect(answer.status).toBe(200)
      expect(answer.text).toBe(V1.echostr)
      expect(answer.headers.get('content-type')).toMatch(/^text\/plain/)
    },
  )

  test('gives the echostr back unchanged, as text', async () => {
    const echostr = '<script>alert(1)</script> &+%20 好'
    const answer = await get(query({ echostr }).toString())
    expect(answer.text).toBe(echostr)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test.each([
    ['a wrong signature', query({ signature: V1.signature }).toString()],
    ['another timestamp', query({ timestamp: '1714036505' }).toString()],
    ['another nonce', query({ nonce: '1514711493' }).toString()],
    ['an empty signature', query({ signature: '' }).toString()],
    ['the signature twice', `${query()}&signature=${signature}`],
    ['the timestamp twice', `${query()}&timestamp=${V1.timestamp}`],
    ['nothing', ''],
  ])('is refused with %s', async (_, text) => {
    const answer = await get(text)
    expect(answer.status).toBe(403)
    expect(answer.body).toMatchObject({ error: { code: 'forbidden' } })
  })

  test.each([-1, 1])(
    'the check of the URL is refused when it is more than ten minutes off (%s)',
    async (sign) => {
      const { timestamp, nonce } = V1
      const at = (seconds: number) => {
        const text = String(Number(timestamp) + sign * seconds)
        return query({ timestamp: text, signature: wecom.getSignature(TOKEN, text, nonce, '') }).toString()
      }
      expect((await get(at(600))).text).toBe(V1.echostr)
      const answer = await get(at(601))
      expect(answer.status).toBe(403)
      expect(answer.body).toMatchObject({ error: { details: { reason: 'timestamp' } } })
    },
  )

  test('the check of the URL is answered 404 for another account, and where no token is set', async () => {
    expect((await get(query().toString(), '/wechat/callback/wx-another')).status).toBe(404)
    const answer = await serviceOf('off').request('GET', `/wechat/callback?${query()}`)
    expect(answer.status).toBe(404)
    expect(answer.body).toMatchObject({
      error: {
        code: 'not_found',
        message: expect.stringContaining('WX_CALLBACK_TOKEN'),
        details: { reason: 'off' },
      },
    })
    expect((await send('off', compose(PLAIN, popup(PLAIN), NOW))).status).toBe(404)
  })
})

describe.each(['plain', 'compatible', 'safe'] as const)('a push in %s mode', (mode) => {
  describe.each(['xml', 'json'] as const)('as %s', (format) => {
    const sender: Sender = { ...SAFE, mode, format }

    test('a push is stored, a row for each item, and answered success', async () => {
      const answer = await send(mode, compose(sender, popup(sender), NOW))
      expect(answer.status).toBe(200)
      expect(answer.text).toBe('success')
      expect(answer.headers.get('content-type')).toMatch(/^text\/plain/)
      expect(await events(mode)).toMatchObject(
        TEMPLATES.map((template_id) => ({
          app_id: APP_ID,
          open_id: OPEN_ID,
          event: 'subscribe_msg_popup_event',
          event_time: NOW / 1000,
          template_id,
          msgid: null,
          received_at: NOW,
        })),
      )
    })

    test('keeps the 19 digits of a message id', async () => {
      const item = { TemplateId: 'template-1', MsgID: MSGID, ErrorCode: '0', ErrorStatus: 'success' }
      const event = { name: 'subscribe_msg_sent_event', openId: OPEN_ID, at: NOW, items: [item] }
      const message = eventMessage(sender, event)
      // Not as text, as the samples have it, but as a number, which JSON.stringify cannot write.
      const push = compose(sender, message, NOW)
      const body = mode === 'plain' ? push.body.replace(`"${MSGID}"`, MSGID) : push.body
      expect((await send(mode, { ...push, body })).text).toBe('success')
      expect(await events(mode)).toMatchObject([{ msgid: MSGID }])
    })

    test('twenty times at once stores it once, and each is answered success', async () => {
      const push = compose(sender, popup(sender), NOW)
      const answers = await Promise.all(Array.from({ length: 20 }, () => send(mode, push)))
      expect(answers.map(({ text }) => text)).toEqual(Array(20).fill('success'))
      expect(await rowsOf(mode)).toBe(2)
    })

    test('sent again under a new signature, as a retry may be, stores nothing more', async () => {
      for (const at of [NOW, NOW + 5_000, NOW + 10_000]) {
        expect((await send(mode, compose(sender, popup(sender), at))).text).toBe('success')
      }
      expect(await rowsOf(mode)).toBe(2)
    })

    test('a push of an event that nobody has heard of is kept for the record', async () => {
      const event = { name: 'debug_demo', openId: OPEN_ID, at: NOW, items: [{ debug_str: 'hello world' }] }
      expect((await send(mode, compose(sender, eventMessage(sender, event), NOW))).text).toBe('success')
      expect(await events(mode)).toMatchObject([
        { event: 'debug_demo', state: 'done', outcome: 'ignored', payload: '{"debug_str":"hello world"}' },
      ])
    })

    test('a push of a message that a user wrote is answered success, and nothing of it is kept', async () => {
      const message = {
        ToUserName: 'gh_1',
        FromUserName: OPEN_ID,
        CreateTime: NOW / 1000,
        MsgType: 'text',
        Content: 'private words',
        MsgId: '123',
      }
      expect((await send(mode, compose(sender, message, NOW))).text).toBe('success')
      expect(await rowsOf(mode)).toBe(0)
      expect(JSON.stringify(await serviceOf(mode).db('wx_callback_nonce'))).not.toContain('private')
    })

    test('a push is taken with any content type, or none', async () => {
      for (const [n, contentType] of [undefined, 'text/plain', 'text/xml; charset=utf-8', 'x/y'].entries()) {
        const push = compose(sender, popup(sender, NOW + n * 1000), NOW)
        const body = Buffer.from(push.body)
        const answer = await serviceOf(mode).request(
          'POST',
          `/wechat/callback?${new URLSearchParams(push.query)}`,
          {
            body: new Uint8Array(body),
            headers: contentType === undefined ? {} : { 'content-type': contentType },
          },
        )
        expect(answer.text).toBe('success')
      }
      expect(await rowsOf(mode)).toBe(8)
    })

    test.each([
      ['too old', NOW - 10 * MINUTE_MS - 1000],
      ['from the future', NOW + 10 * MINUTE_MS + 1000],
    ])('that is %s is refused', async (_, at) => {
      await expectRefused(mode, await send(mode, compose(sender, popup(sender), at)), 403, 'timestamp')
    })

    test('a push that is almost too old is taken', async () => {
      const answer = await send(mode, compose(sender, popup(sender), NOW - 10 * MINUTE_MS))
      expect(answer.text).toBe('success')
    })

    test('signed with another token is refused', async () => {
      const forged = compose({ ...sender, token: 'AnotherTokenOfTests' }, popup(sender), NOW)
      await expectRefused(mode, await send(mode, forged), 403, 'signature')
    })

    test('a push without parts of its signature is refused', async () => {
      const push = compose(sender, popup(sender), NOW)
      const name = mode === 'plain' ? 'signature' : 'msg_signature'
      for (const missing of [name, 'timestamp', 'nonce']) {
        const { [missing]: _, ...query } = push.query
        await expectRefused(mode, await send(mode, { ...push, query }), 403)
      }
      await expectRefused(mode, await send(mode, { body: push.body }), 403)
    })

    test('a push with another timestamp or nonce than it was signed for is refused', async () => {
      const push = compose(sender, popup(sender), NOW)
      for (const change of [{ timestamp: `${NOW / 1000 + 1}` }, { nonce: 'other' }]) {
        const changed = { ...push, query: { ...push.query, ...change } }
        await expectRefused(mode, await send(mode, changed), 403, 'signature')
      }
    })
  })

  test('a push that is no push is refused: a signed body that is no XML and no JSON', async () => {
    const sender: Sender = { ...SAFE, mode }
    const { query } = compose(sender, popup(sender), NOW)
    for (const body of ['', 'hello', '{', '<xml>', '[]', '\u0000', '<html></html>']) {
      await expectRefused(mode, await send(mode, { query, body }), 400, 'body')
    }
  })

  test('a push without a MsgType, or of an event without its name, is refused', async () => {
    const sender: Sender = { ...SAFE, mode }
    for (const message of [{ ToUserName: 'x' }, { MsgType: 'event' }, { MsgType: 'event', Event: '' }]) {
      const answer = await send(mode, compose(sender, message, NOW))
      if (mode === 'plain') await expectRefused(mode, answer, 400, 'body')
      else await expectRefused(mode, answer, 403, 'content')
    }
  })

  test('a push that is too large is refused', async () => {
    const sender: Sender = { ...SAFE, mode }
    const message = { ...popup(sender), filler: 'x'.repeat(20_000) }
    const answer = await send(mode, compose(sender, message, NOW))
    await expectRefused(mode, answer, 413)
  })
})

describe('in safe mode', () => {
  test('a plain push is refused, though its signature is right', async () => {
    await expectRefused('safe', await send('safe', compose(PLAIN, popup(PLAIN), NOW)), 403, 'not_encrypted')
  })

  test('what is encrypted for another app_id is refused', async () => {
    const push = compose({ ...SAFE, appId: 'wx0000000000000000' }, popup(SAFE), NOW)
    await expectRefused('safe', await send('safe', push), 403, 'content')
  })

  test('what is encrypted with another key is refused', async () => {
    const push = compose(
      { ...SAFE, encodingAesKey: '2isAjIhKtJ0RlgLKOmxgJTeKdNnFRIBXuDL7DxtpYlS' },
      popup(SAFE),
      NOW,
    )
    await expectRefused('safe', await send('safe', push), 403, 'content')
  })

  test('the plain signature does not stand for the other one', async () => {
    const push = compose(SAFE, popup(SAFE), NOW)
    const query = { ...push.query, msg_signature: push.query.signature ?? '' }
    await expectRefused('safe', await send('safe', { ...push, query }), 403, 'signature')
  })

  test('the plain copy of compatible mode is ignored: only what is encrypted counts', async () => {
    const push = compose({ ...SAFE, mode: 'compatible' }, popup(SAFE), NOW)
    const forged = { ...JSON.parse(push.body), FromUserName: 'oSomebodyElse', Event: 'unsubscribe' }
    expect((await send('safe', { ...push, body: JSON.stringify(forged) })).text).toBe('success')
    expect(await events('safe')).toMatchObject([{ open_id: OPEN_ID }, { open_id: OPEN_ID }])
  })
})

describe('in plain mode', () => {
  test('a signature that was seen is good for no other body', async () => {
    const push = compose(PLAIN, popup(PLAIN), NOW)
    await send('plain', push)
    const replayed = await send('plain', { ...push, body: JSON.stringify(popup(PLAIN, NOW - 1000)) })
    expect(replayed.status).toBe(403)
    expect(replayed.body).toMatchObject({ error: { details: { reason: 'reused' } } })
    expect(await rowsOf('plain')).toBe(2)
    expect((await send('plain', push)).text).toBe('success')
  })

  test('an encrypted push is refused with what to set', async () => {
    const answer = await send('plain', compose(SAFE, popup(SAFE), NOW))
    await expectRefused('plain', answer, 403, 'no_aes_key')
    expect(answer.text).toContain('WX_ENCODING_AES_KEY')
  })

  test('the plain half of compatible mode is enough', async () => {
    const sender: Sender = { ...SAFE, mode: 'compatible' }
    expect((await send('plain', compose(sender, popup(sender), NOW))).text).toBe('success')
    expect(await rowsOf('plain')).toBe(2)
  })

  test('events with odd fields are kept for the record, and never an error', async () => {
    const odd: Message[] = [
      { MsgType: 'event', Event: 'subscribe_msg_popup_event' },
      {
        MsgType: 'event',
        Event: 'subscribe_msg_popup_event',
        FromUserName: OPEN_ID,
        CreateTime: 1,
        List: 'x',
      },
      {
        MsgType: 'event',
        Event: 'subscribe_msg_sent_event',
        FromUserName: OPEN_ID,
        CreateTime: 'never',
        List: [],
      },
      { MsgType: 'event', Event: 'TEMPLATESENDJOBFINISH', FromUserName: '好'.repeat(200), CreateTime: 2 },
      { MsgType: 'event', Event: 'unsubscribe', CreateTime: 3 },
      { MsgType: 'event', Event: 'x'.repeat(64), FromUserName: OPEN_ID, CreateTime: 4, '\u0000': '\ud800' },
      { MsgType: 'event', Event: 'toString', FromUserName: OPEN_ID, CreateTime: 5, big: 'y'.repeat(10_000) },
    ]
    for (const message of odd) {
      expect((await send('plain', compose(PLAIN, message, NOW))).text).toBe('success')
    }
    const rows = await events('plain')
    expect(rows.map(({ outcome }) => outcome)).toEqual([...Array(5).fill('incomplete'), 'ignored', 'ignored'])
    for (const { payload } of rows) {
      expect(payload.length).toBeLessThan(5_000)
      expect(() => JSON.parse(payload)).not.toThrow()
    }
  })
})
