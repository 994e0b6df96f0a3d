import WechatApi from 'co-wechat-api'
import { describe, expect, it } from 'vitest'
import { APP_ID, APP_SECRET } from '../helpers/constants.js'
import { OPEN_ID, setup } from './helpers.js'

const TEMPLATE = { keys: ['thing1', 'time2'], title: '签到提醒' }
const DATA = { thing1: { value: '日领积分' }, time2: { value: '08:00' } }
const ACCOUNT = { appId: APP_ID, secret: APP_SECRET, templates: { t1: TEMPLATE }, pages: ['pages/index'] }

/** A client that was written for WeChat and not for this sandbox, pointed here as its users point it at a proxy. */
async function clientSetup() {
  const world = await setup({ accounts: [ACCOUNT] })
  const api = new WechatApi(APP_ID, APP_SECRET)
  api.prefix = `${world.url}/cgi-bin/`
  api.snsPrefix = `${world.url}/sns/`
  return { ...world, api }
}

describe('co-wechat-api', () => {
  it('gets a classic token, and a new one when that is dead', async () => {
    const { api, control } = await clientSetup()
    control.follow({ openId: OPEN_ID })
    const { accessToken } = await api.getAccessToken()
    expect(accessToken).toMatch(/^\d+_/)
    control.killTokens()
    expect(await api.sendTemplate(OPEN_ID, 't1', undefined, undefined, DATA)).toMatchObject({ errcode: 0 })
    expect(control.stats().answers).toMatchObject({
      '/cgi-bin/token': { 0: 2 },
      '/cgi-bin/message/template/send': { 40001: 1, 0: 1 },
    })
  })

  it('is told of a wrong secret', async () => {
    const { api } = await clientSetup()
    const wrong = new WechatApi(APP_ID, 'wrong')
    wrong.prefix = api.prefix
    await expect(wrong.getAccessToken()).rejects.toMatchObject({ name: 'WeChatAPIError', code: 40125 })
  })

  it('sends messages of a service account, with every digit of the msgid', async () => {
    const { api, control } = await clientSetup()
    await expect(api.sendTemplate(OPEN_ID, 't1', undefined, undefined, DATA)).rejects.toMatchObject({
      code: 43004,
    })
    control.follow({ openId: OPEN_ID })
    const jump = { appid: 'wxAny', pagepath: 'pages/index' }
    const { msgid } = await api.sendTemplate(OPEN_ID, 't1', 'https://example.com', '#173177', DATA, jump)
    expect(String(msgid)).toBe(control.ledger()[0]?.msgid)
    const wrong = { ...DATA, time2: { value: '早上' } }
    await expect(api.sendTemplate(OPEN_ID, 't1', undefined, undefined, wrong)).rejects.toMatchObject({
      code: 47003,
      message: expect.stringMatching(/^argument invalid! data\.time2\.value invalid rid: /),
    })
  })

  it('sends subscribe messages, one per accepted subscription', async () => {
    const { api, control } = await clientSetup()
    control.grantSubscription({ openId: OPEN_ID, templateId: 't1' })
    const send = () => api.sendSubscribeMessage(OPEN_ID, 't1', 'pages/index', DATA)
    expect(String((await send()).msgid)).toBe(control.ledger()[0]?.msgid)
    await expect(send()).rejects.toMatchObject({ code: 43101 })
    await expect(api.sendSubscribeMessage(OPEN_ID, 't1', 'pages/draft', DATA)).rejects.toMatchObject({
      code: 41030,
    })
  })

  it('sends messages by form_id, one per form_id', async () => {
    const { api, control } = await clientSetup()
    const formId = control.issueFormId({ openId: OPEN_ID })
    const send = () => api.sendMiniProgramTemplate(OPEN_ID, 't1', 'pages/index', formId, DATA)
    expect(await send()).toMatchObject({ errcode: 0 })
    await expect(send()).rejects.toMatchObject({ code: 41029 })
  })

  it('lists the templates of a service account', async () => {
    const { api } = await clientSetup()
    const { template_list } = await api.getAllPrivateTemplate()
    expect(template_list).toMatchObject([
      { template_id: 't1', content: 'thing1:{{thing1.DATA}}\ntime2:{{time2.DATA}}\n' },
    ])
  })

  it('logs a person in', async () => {
    const { api, control } = await clientSetup()
    const code = control.issueLoginCode({ openId: OPEN_ID })
    expect(await api.code2Session(code)).toMatchObject({ openid: OPEN_ID })
    await expect(api.code2Session(code)).rejects.toMatchObject({ code: 40163 })
  })
})
