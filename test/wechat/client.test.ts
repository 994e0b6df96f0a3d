import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AccessTokens, createWechatClient, type WechatClient } from '../../src/wechat/client.js'
import { errcodeOf, tokenEndpointErrcodeOf } from '../../src/wechat/errcodes.js'
import { createWechatHttp, type WechatHttp } from '../../src/wechat/http.js'
import { TokenError } from '../../src/wechat/token-error.js'
import {
  cutBeforeAnswer,
  cutInAnswer,
  json,
  redirect,
  refusedUrl,
  startWechatStub,
  text,
  type WechatStub,
} from '../helpers/wechat.js'

const template = {
  touser: 'oGZUI0egBJY1zhBYw2KhdUfwVJJE',
  template_id: 'T1',
  form_id: 'f0f0',
  page: 'pages/index',
  data: { keyword1: { value: '日领积分' } },
}
const official = { touser: 'o', template_id: 'T1', data: {}, client_msg_id: 'm-1' }

let stub: WechatStub
let http: WechatHttp
let client: WechatClient
let tokens: AccessTokens & { replaced: string[] }

/** Gives `first`, then one fresh token after the other. */
function tokensOf(first: string, ...fresh: string[]): typeof tokens {
  let current = first
  const replaced: string[] = []
  return {
    replaced,
    get: async () => current,
    replace: async (failing) => {
      replaced.push(failing)
      current = fresh.shift() ?? current
      return current
    },
  }
}

beforeEach(async () => {
  stub = await startWechatStub()
  http = createWechatHttp({ baseUrl: stub.url, connections: 4 })
  tokens = tokensOf('token/1+', 'token-2', 'token-3')
  client = createWechatClient({ http, tokens })
})

afterEach(async () => {
  await stub.close()
  await http.close()
})

describe('what is sent', () => {
  test('a template message with its form_id', async () => {
    expect(await client.sendTemplateMessage(template)).toEqual({ kind: 'accepted' })
    expect(stub.asked).toMatchObject([
      { method: 'POST', path: '/cgi-bin/message/wxopen/template/send', json: template },
    ])
    expect(stub.asked[0]?.query.get('access_token')).toBe('token/1+')
  })

  test('a subscribe message; what is undefined is left out', async () => {
    const message = {
      touser: 'o',
      template_id: 'T',
      data: { thing1: { value: '好' } },
      lang: 'zh_CN',
    } as const
    await client.sendSubscribeMessage({ ...message, page: undefined })
    expect(stub.asked).toMatchObject([{ path: '/cgi-bin/message/subscribe/send' }])
    expect(stub.asked[0]?.json).toEqual(message)
  })

  test('an official message with its client_msg_id', async () => {
    await client.sendOfficialTemplateMessage(official)
    expect(stub.asked).toMatchObject([{ path: '/cgi-bin/message/template/send', json: official }])
  })

  test('another call, whose answer needs no errcode', async () => {
    stub.next(json({ template_list: [{ template_id: 'T1' }] }))
    const path = '/cgi-bin/template/get_all_private_template'
    expect(await client.call({ method: 'GET', path })).toMatchObject({
      kind: 'succeeded',
      body: { template_list: [{ template_id: 'T1' }] },
    })
    expect(stub.asked).toMatchObject([{ method: 'GET', path, body: '' }])
  })
})

describe('what WeChat answers', () => {
  test.each([
    ['{"errcode":0,"errmsg":"ok","msgid":1899123456789012345}', '1899123456789012345'],
    ['{"msgid" : 18446744073709551615, "errcode":0}', '18446744073709551615'],
    ['{"errcode":0,"errmsg":"ok","msgid":"200228332"}', '200228332'],
    ['{"errcode":0,"errmsg":"\\"msgid\\":7"}', undefined],
  ])('%s is accepted, every digit of msgid kept', async (body, msgid) => {
    stub.next(text(body, 200, 'text/plain'))
    expect(await client.sendOfficialTemplateMessage(official)).toEqual(
      msgid === undefined ? { kind: 'accepted' } : { kind: 'accepted', msgid },
    )
  })

  test('a refusal comes with its meaning and its rid', async () => {
    const errmsg = 'form id used count reach limit hint: [x] rid: 5f0a1b2c-3d4e5f60-7a8b9c0d'
    stub.next(json({ errcode: 41029, errmsg }))
    expect(await client.sendTemplateMessage(template)).toEqual({
      kind: 'refused',
      errcode: 41029,
      errmsg,
      rid: '5f0a1b2c-3d4e5f60-7a8b9c0d',
      entry: errcodeOf(41029),
    })
  })

  test('a code that nobody knows is refused with class unknown', async () => {
    stub.next(json({ errcode: 98765, errmsg: 'what' }))
    expect(await client.sendTemplateMessage(template)).toMatchObject({
      kind: 'refused',
      errcode: 98765,
      entry: { class: 'unknown' },
    })
  })

  test('an errcode outweighs the HTTP status it came with', async () => {
    stub.next(json({ errcode: -1, errmsg: 'system error' }, 500))
    expect(await client.sendTemplateMessage(template)).toMatchObject({ kind: 'refused', errcode: -1 })
  })

  test.each([
    ['HTML with status 200', text('<html>login</html>')],
    ['an empty body', text('')],
    ['JSON that is no object', text('[]')],
    ['an object without errcode', json({ ok: true })],
    ['an errcode that is no number', json({ errcode: 'none' })],
    ['half an answer', cutInAnswer],
    ['success under a status that denies it', json({ errcode: 0 }, 502)],
    ['a server error', text('oops', 500)],
    ['a bad gateway', text('bad gateway', 502)],
    ['a gateway timeout', text('late', 504)],
  ])('%s leaves open whether it was sent', async (_, behaviour) => {
    stub.next(behaviour)
    expect(await client.sendTemplateMessage(template)).toMatchObject({ kind: 'ambiguous' })
    expect(stub.asked).toHaveLength(1)
  })

  test.each([
    ['an overloaded server', text('busy', 503), 503, 'transient'],
    ['a rate limit', text('slow down', 429), 429, 'transient'],
    ['a redirect', redirect('http://127.0.0.1:1/'), 302, 'configuration'],
    ['another server', text('not found', 404), 404, 'configuration'],
  ])('%s most likely did not send it', async (_, behaviour, errcode, errcodeClass) => {
    stub.next(behaviour)
    expect(await client.sendTemplateMessage(template)).toMatchObject({
      kind: 'refused',
      errcode,
      entry: { class: errcodeClass, maybeSent: true },
    })
  })
})

describe('a refused token', () => {
  test.each([40001, 40014, 42001])('%i is replaced once and the call made again', async (errcode) => {
    stub.next(json({ errcode, errmsg: 'invalid credential' }))
    expect(await client.sendTemplateMessage(template)).toEqual({ kind: 'accepted' })
    expect(tokens.replaced).toEqual(['token/1+'])
    expect(stub.asked.map((asked) => asked.query.get('access_token'))).toEqual(['token/1+', 'token-2'])
    expect(stub.asked.map((asked) => asked.json)).toEqual([template, template])
  })

  test('a token refused twice is a configuration fault that says what to do, and is not tried a third time', async () => {
    stub.otherwise(json({ errcode: 40001, errmsg: 'invalid credential rid: 5f0a1b2c-3d4e5f60-7a8b9c0d' }))
    expect(await client.sendTemplateMessage(template)).toMatchObject({
      kind: 'refused',
      errcode: 40001,
      rid: '5f0a1b2c-3d4e5f60-7a8b9c0d',
      entry: { class: 'configuration', meaning: expect.stringContaining('WX_APP_ID') },
    })
    expect(stub.asked).toHaveLength(2)
  })

  test('a refused token that comes back unchanged is a configuration fault at once', async () => {
    client = createWechatClient({ http, tokens: tokensOf('same') })
    stub.otherwise(json({ errcode: 42001, errmsg: 'expired' }))
    expect(await client.sendTemplateMessage(template)).toMatchObject({
      kind: 'refused',
      errcode: 42001,
      entry: { class: 'configuration' },
    })
    expect(stub.asked).toHaveLength(1)
  })

  test('an unclear answer to the second call stays unclear', async () => {
    stub.next(json({ errcode: 40001, errmsg: '' }), cutBeforeAnswer)
    expect(await client.sendTemplateMessage(template)).toMatchObject({ kind: 'ambiguous' })
    expect(stub.asked).toHaveLength(2)
  })

  test('nothing else is tried again', async () => {
    for (const behaviour of [cutBeforeAnswer, json({ errcode: -1, errmsg: 'busy' }), text('', 503)]) {
      stub.next(behaviour)
      await client.sendTemplateMessage(template)
    }
    expect(stub.asked).toHaveLength(3)
    expect(tokens.replaced).toEqual([])
  })
})

describe('no token to be had', () => {
  const failing = (error: Error): AccessTokens => ({
    get: async () => Promise.reject(error),
    replace: async () => '',
  })

  test('a message for which no token is to be had for a passing reason was certainly not sent', async () => {
    client = createWechatClient({ http, tokens: failing(new TokenError('WeChat cannot be reached')) })
    expect(await client.sendTemplateMessage(template)).toEqual({ kind: 'unreachable', reason: 'token' })
    expect(stub.asked).toHaveLength(0)
  })

  test('no token to be had for a wrong secret is a configuration fault', async () => {
    const error = new TokenError('no token', tokenEndpointErrcodeOf(40001))
    client = createWechatClient({ http, tokens: failing(error) })
    expect(await client.sendTemplateMessage(template)).toMatchObject({
      kind: 'refused',
      errcode: 40001,
      entry: { class: 'configuration', meaning: expect.stringContaining('WX_APP_SECRET') },
    })
  })

  test('no token to be had for a code that no token endpoint should answer is a configuration fault', async () => {
    client = createWechatClient({ http, tokens: failing(new TokenError('no token', errcodeOf(98765))) })
    expect(await client.sendTemplateMessage(template)).toMatchObject({ entry: { class: 'configuration' } })
  })

  test('no token to be had because of a fault of ours does not swallow the error', async () => {
    client = createWechatClient({ http, tokens: failing(new TypeError('bug')) })
    await expect(client.sendTemplateMessage(template)).rejects.toThrow('bug')
  })
})

test('no result has the token in it, not even where WeChat quotes it', async () => {
  const results = []
  stub.next(json({ errcode: 47001, errmsg: 'bad POST /x?access_token=token/1+ token/1+' }))
  results.push(await client.sendTemplateMessage(template))
  for (const behaviour of [cutBeforeAnswer, cutInAnswer, text('<a href="?access_token=token/1+">', 502)]) {
    stub.next(behaviour)
    results.push(await client.sendTemplateMessage(template))
  }
  const nowhere = createWechatHttp({ baseUrl: await refusedUrl(), connections: 1 })
  results.push(await createWechatClient({ http: nowhere, tokens }).sendTemplateMessage(template))
  await nowhere.close()
  expect(results.map((result) => result.kind)).toEqual([
    'refused',
    'ambiguous',
    'ambiguous',
    'ambiguous',
    'unreachable',
  ])
  expect(JSON.stringify(results)).not.toMatch(/token.1/)
})

describe('whether a request may still leave', () => {
  test('whether a request may still leave is asked when its token is there, and a no sends nothing', async () => {
    const asked: string[] = []
    const watched = createWechatClient({
      http,
      tokens: {
        ...tokens,
        get: async () => {
          asked.push('token')
          return tokens.get()
        },
      },
    })
    const mayLeave = async () => {
      asked.push('may it leave')
      return false
    }
    const result = await watched.sendTemplateMessage(template, { mayLeave })
    expect(result).toEqual({ kind: 'unreachable', reason: 'aborted' })
    expect(asked).toEqual(['token', 'may it leave'])
    expect(stub.asked).toEqual([])
  })

  test('whether a request may still leave is asked once more before the request with a new token', async () => {
    stub.next(json({ errcode: 40001, errmsg: 'invalid credential' }))
    const answers = [true, false]
    const result = await client.sendTemplateMessage(template, {
      mayLeave: async () => answers.shift() ?? false,
    })
    expect(result).toEqual({ kind: 'unreachable', reason: 'aborted' })
    expect(stub.asked).toHaveLength(1)
    expect(answers).toEqual([])
  })
})
