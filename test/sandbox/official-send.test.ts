import { describe, expect, it } from 'vitest'
import { MINUTE, SECOND } from '../../src/sandbox/clock.js'
import { OPEN_ID, setup } from './helpers.js'

const OFFICIAL = '/cgi-bin/message/template/send'
const TEMPLATE = 'official-template'

const SERVICE_ACCOUNT = {
  appId: 'wx5a6d9e0c1b2f3a48',
  secret: '0123456789abcdef0123456789abcdef',
  channel: 'official' as const,
  templates: { [TEMPLATE]: ['thing1'] },
  linkedApps: ['wxLinked', 'wxElsewhere'],
}
const MINI_PROGRAM = { appId: 'wxLinked', secret: 'f'.repeat(32), pages: ['pages/index'] }

async function officialSetup() {
  const world = await setup({ accounts: [SERVICE_ACCOUNT, MINI_PROGRAM] })
  world.control.follow({ openId: OPEN_ID })
  let sent = 0
  /** Each has another text, so that none is a duplicate. */
  const send = async (changes: object = {}) => {
    const data = { thing1: { value: `第${++sent}次` } }
    return (await world.sendTo(OFFICIAL, { touser: OPEN_ID, template_id: TEMPLATE, data, ...changes })).json
  }
  const code = async (changes: object = {}) => (await send(changes)).errcode
  return { ...world, send, code }
}

describe('a message of a service account', () => {
  it.each([
    [43019, { blacklisted: true }, { blacklisted: false }],
    [48002, { receives: false }, { receives: true }],
  ])('is refused with %i while the person is %o', async (errcode, state, ordinary) => {
    const { control, code } = await officialSetup()
    control.setPerson({ openId: OPEN_ID, ...state })
    expect(await code()).toBe(errcode)
    control.setPerson({ openId: OPEN_ID, ...ordinary })
    expect(await code()).toBe(0)
  })

  it('is refused with 43116 while its template is banned', async () => {
    const { post, code } = await officialSetup()
    await post('/sandbox/bans', { template_ids: [TEMPLATE] })
    expect(await code()).toBe(43116)
    await post('/sandbox/bans', { template_ids: [TEMPLATE], banned: false })
    expect(await code()).toBe(0)
  })

  it('is refused with 40241 if the same was sent within 60 seconds', async () => {
    const { control, send, code } = await officialSetup()
    control.follow({ openId: 'oOther' })
    const same = { data: { thing1: { value: '签到' } } }
    expect(await code(same)).toBe(0)
    expect((await send(same)).errmsg).toMatch(/^The message is duplicate in 60 seconds rid: /)
    expect(await code({ ...same, client_msg_id: 'm-1' })).toBe(40241)
    expect(await code({ ...same, touser: 'oOther' })).toBe(0)
    expect(await code({ ...same, url: 'https://example.com' })).toBe(0)
    control.advanceClock(MINUTE)
    expect(await code(same)).toBe(0)
  })

  it('of a repeated client_msg_id is answered as the first, within ten minutes and for the same person', async () => {
    const { control, sendTo } = await officialSetup()
    control.follow({ openId: 'oOther' })
    const message = {
      touser: OPEN_ID,
      template_id: TEMPLATE,
      data: { thing1: { value: '签到' } },
      client_msg_id: 'm-1',
    }
    const { text } = await sendTo(OFFICIAL, message)
    expect((await sendTo(OFFICIAL, message)).text).toBe(text)
    expect((await sendTo(OFFICIAL, { ...message, touser: 'oOther' })).text).not.toBe(text)
    control.advanceClock(10 * MINUTE)
    expect((await sendTo(OFFICIAL, message)).text).not.toBe(text)
    expect(control.ledger()).toHaveLength(3)
  })

  it('is refused with 43117 when the person gets too many, if there is a limit', async () => {
    const { control, code, post } = await officialSetup()
    await post('/sandbox/settings', { frequency: { messages: 2, seconds: 60 } }, { method: 'PUT' })
    expect([await code(), await code(), await code()]).toEqual([0, 0, 43117])
    control.advanceClock(60 * SECOND)
    expect(await code()).toBe(0)
    await post('/sandbox/settings', { frequency: null }, { method: 'PUT' })
    expect([await code(), await code(), await code()]).toEqual([0, 0, 0])
  })

  it.each([
    [0, { url: 'https://example.com/sign-in' }],
    [0, { url: '' }],
    [40048, { url: 'example.com' }],
    [40048, { url: 7 }],
    [0, { miniprogram: { appid: 'wxLinked', pagepath: 'pages/index?from=1' } }],
    [0, { miniprogram: { appid: 'wxElsewhere', pagepath: 'pages/unknown' } }],
    [41030, { miniprogram: { appid: 'wxLinked', pagepath: 'pages/draft' } }],
    [40013, { miniprogram: { appid: 'wxStranger', pagepath: 'pages/index' } }],
    [40013, { miniprogram: 'wxLinked' }],
  ])('is answered %i with the jump %o', async (errcode, jump) => {
    const { code } = await officialSetup()
    expect(await code(jump)).toBe(errcode)
  })

  it('is out of reach for the token of a mini-program, as are its messages for a service account', async () => {
    const { code, post, sendTo, newToken } = await officialSetup()
    for (const path of ['/cgi-bin/message/subscribe/send', '/cgi-bin/message/wxopen/template/send'])
      expect((await sendTo(path, {})).json.errcode).toBe(48001)
    const accounts = JSON.parse((await post('/sandbox/accounts', {}, { method: 'GET', body: null })).text)
    expect(accounts).toEqual({ accounts: [SERVICE_ACCOUNT.appId, MINI_PROGRAM.appId] })
    const account = { app_id: 'wxLinked', app_secret: 'f'.repeat(32), channel: 'subscribe' }
    expect((await post('/sandbox/accounts', account, { method: 'PUT' })).status).toBe(204)
    const token = await newToken({ appid: 'wxLinked', secret: 'f'.repeat(32) })
    expect((await sendTo(OFFICIAL, {}, { token })).json.errcode).toBe(48001)
    expect(await code()).toBe(0)
  })
})
