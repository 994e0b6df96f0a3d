import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createWechatHttp, type WechatHttp } from '../../src/wechat/http.js'
import { exchangeLoginCode } from '../../src/wechat/login.js'
import { cutBeforeAnswer, json, startWechatStub, text, type WechatStub } from '../helpers/wechat.js'

const ACCOUNT = { appId: 'wx1', appSecret: 's&cret' }
const ANSWER = { openid: 'oA-1_', session_key: 'tiihtNczf5v6AKRyjwEUhQ==' }

let stub: WechatStub
let http: WechatHttp

beforeEach(async () => {
  stub = await startWechatStub()
  http = createWechatHttp({ baseUrl: stub.url, connections: 1 })
})
afterEach(async () => {
  await stub.close()
  await http.close()
})

const exchange = (code = 'c&de') => exchangeLoginCode(http, ACCOUNT, code)

describe('exchangeLoginCode', () => {
  test('asks by GET with everything in the query, and hands on no session_key', async () => {
    stub.next(json(ANSWER))
    expect(await exchange()).toEqual({ kind: 'logged_in', openId: 'oA-1_', unionId: undefined })
    expect(stub.asked).toMatchObject([{ method: 'GET', path: '/sns/jscode2session', body: '' }])
    expect(Object.fromEntries(stub.asked[0]?.query ?? [])).toEqual({
      appid: 'wx1',
      secret: 's&cret',
      js_code: 'c&de',
      grant_type: 'authorization_code',
    })
  })

  test('takes an answer with an errcode of 0, and one with a unionid', async () => {
    stub.next(json({ ...ANSWER, errcode: 0, errmsg: 'ok', unionid: 'uA' }), json({ ...ANSWER, unionid: '' }))
    expect(await exchange()).toMatchObject({ kind: 'logged_in', unionId: 'uA' })
    expect(await exchange()).toMatchObject({ kind: 'logged_in', unionId: undefined })
  })

  test.each([
    [40029, 'user'],
    [40163, 'user'],
    [40226, 'user'],
    [45011, 'transient'],
    [-1, 'transient'],
    [40013, 'configuration'],
    [40125, 'configuration'],
    [40001, 'configuration'],
  ])('%i has class %s', async (errcode, errcodeClass) => {
    stub.next(json({ errcode, errmsg: 'no' }))
    expect(await exchange()).toMatchObject({ kind: 'refused', errcode, entry: { class: errcodeClass } })
  })

  test('keeps secret and code out of what it says of a refusal', async () => {
    stub.next(json({ errcode: 40029, errmsg: 'invalid code c&de, secret s&cret, rid: 6a-b' }))
    const result = JSON.stringify(await exchange())
    expect(result).toContain('rid: 6a-b')
    expect(result).not.toContain('c&de')
    expect(result).not.toContain('s&cret')
  })

  test.each([
    ['no openid', { session_key: 'k' }],
    ['an empty openid', { ...ANSWER, openid: '' }],
    ['an openid longer than the column', { ...ANSWER, openid: 'o'.repeat(101) }],
    ['an openid that is none', { ...ANSWER, openid: '签到' }],
    ['no session_key', { openid: 'oA' }],
    ['a unionid longer than the column', { ...ANSWER, unionid: 'u'.repeat(65) }],
  ])('takes an answer with %s for unreadable', async (_, answer) => {
    stub.next(json(answer))
    expect(await exchange()).toEqual({ kind: 'ambiguous', reason: 'unreadable' })
  })

  test('says what became of a call that WeChat did not answer', async () => {
    stub.next(cutBeforeAnswer, text('busy', 503))
    expect(await exchange()).toMatchObject({ kind: 'ambiguous' })
    expect(await exchange()).toMatchObject({ kind: 'refused', errcode: 503 })
  })
})
