import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fetchAccessToken } from '../../src/wechat/access-token.js'
import { createWechatHttp, type WechatHttp } from '../../src/wechat/http.js'
import { cutBeforeAnswer, json, startWechatStub, text, type WechatStub } from '../helpers/wechat.js'

const stable = { appId: 'wx1', appSecret: 's&cret', tokenMode: 'stable' } as const
const classic = { ...stable, tokenMode: 'classic' } as const

let stub: WechatStub
let http: WechatHttp

beforeEach(async () => {
  stub = await startWechatStub()
  http = createWechatHttp({ baseUrl: stub.url, connections: 1 })
  stub.otherwise(json({ access_token: '76_abc', expires_in: 7200 }))
})

afterEach(async () => {
  await stub.close()
  await http.close()
})

describe('fetchAccessToken', () => {
  test('asks stable_token by POST and never forces a refresh', async () => {
    expect(await fetchAccessToken(http, stable)).toEqual({
      kind: 'fetched',
      token: '76_abc',
      expiresInMs: 7_200_000,
    })
    expect(stub.asked).toMatchObject([{ method: 'POST', path: '/cgi-bin/stable_token' }])
    expect(stub.asked[0]?.json).toEqual({ grant_type: 'client_credential', appid: 'wx1', secret: 's&cret' })
  })

  test('asks the classic endpoint by GET', async () => {
    expect(await fetchAccessToken(http, classic)).toMatchObject({ kind: 'fetched', token: '76_abc' })
    expect(stub.asked).toMatchObject([{ method: 'GET', path: '/cgi-bin/token', body: '' }])
    expect(Object.fromEntries(stub.asked[0]?.query ?? [])).toEqual({
      grant_type: 'client_credential',
      appid: 'wx1',
      secret: 's&cret',
    })
  })

  test.each([
    [40001, 'configuration'],
    [40013, 'configuration'],
    [40125, 'configuration'],
    [40164, 'configuration'],
    [40243, 'configuration'],
    [89503, 'configuration'],
    [45009, 'quota'],
    [45011, 'transient'],
    [-1, 'transient'],
  ])('%i has class %s', async (errcode, errcodeClass) => {
    stub.next(json({ errcode, errmsg: 'no' }))
    expect(await fetchAccessToken(http, stable)).toMatchObject({
      kind: 'refused',
      errcode,
      entry: { class: errcodeClass },
    })
  })

  test('keeps the IP that WeChat names, and not the secret', async () => {
    stub.next(
      json({ errcode: 40164, errmsg: 'invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist, s&cret' }),
    )
    const result = await fetchAccessToken(http, stable)
    expect(JSON.stringify(result)).toContain('1.2.3.4')
    expect(JSON.stringify(result)).not.toContain('s&cret')
  })

  test.each([
    ['no token', { expires_in: 7200 }],
    ['an empty token', { access_token: '', expires_in: 7200 }],
    ['a token that no URL can hold', { access_token: 'a\r\nb', expires_in: 7200 }],
    ['a token longer than the column', { access_token: 'x'.repeat(513), expires_in: 7200 }],
    ['no lifetime', { access_token: 'a' }],
    ['a lifetime of nothing', { access_token: 'a', expires_in: 0 }],
    ['a lifetime in words', { access_token: 'a', expires_in: 'long' }],
    ['a lifetime of years', { access_token: 'a', expires_in: 1e9 }],
  ])('takes an answer with %s for unreadable', async (_, answer) => {
    stub.next(json(answer))
    expect(await fetchAccessToken(http, stable)).toEqual({ kind: 'ambiguous', reason: 'unreadable' })
  })

  test('says what became of a call that WeChat did not answer', async () => {
    stub.next(cutBeforeAnswer, text('busy', 503))
    expect(await fetchAccessToken(http, stable)).toMatchObject({ kind: 'ambiguous' })
    expect(await fetchAccessToken(http, stable)).toMatchObject({ kind: 'refused', errcode: 503 })
  })
})
