import { describe, expect, it } from 'vitest'
import { eventually } from '../helpers/eventually.js'
import { OPEN_ID, setup } from './helpers.js'

const SUBSCRIBE = '/cgi-bin/message/subscribe/send'
const ONE = 'template-one'
const TWO = 'template-two'

const account = {
  appId: 'wx5a6d9e0c1b2f3a48',
  secret: '0123456789abcdef0123456789abcdef',
  channel: 'subscribe' as const,
  templates: {
    [ONE]: { keys: ['thing1'], title: '签到提醒' },
    [TWO]: { keys: ['thing1'], title: '积分到账' },
    'same-title': { keys: ['thing1'], title: '签到提醒' },
    'long-term': { keys: ['thing1'], title: '长期', type: 3 as const },
    'of-form-ids': { keys: ['keyword1'], channel: 'form_id' as const },
  },
}

async function subscribeSetup() {
  const world = await setup({ accounts: [account] })
  const send = async (changes: object = {}) => {
    const message = { touser: OPEN_ID, template_id: ONE, data: { thing1: { value: '日领积分' } } }
    return (await world.sendTo(SUBSCRIBE, { ...message, ...changes })).json
  }
  const code = async (changes: object = {}) => (await send(changes)).errcode
  const request = (changes: object = {}) =>
    world.control.requestSubscription({ openId: OPEN_ID, templateIds: [ONE], ...changes })
  return { ...world, send, code, request }
}

describe('accepted subscriptions', () => {
  it('add up per template, and each is good for one message', async () => {
    const { control, code } = await subscribeSetup()
    control.grantSubscription({ openId: OPEN_ID, templateId: ONE, count: 2 })
    control.grantSubscription({ openId: OPEN_ID, templateId: TWO })
    expect([await code(), await code({ template_id: TWO }), await code(), await code()]).toEqual([
      0, 0, 0, 43101,
    ])
    expect(await code({ template_id: TWO })).toBe(43101)
  })

  it('stay when a later popup is answered no, and are void once the template is turned off', async () => {
    const { control, code } = await subscribeSetup()
    control.grantSubscription({ openId: OPEN_ID, templateId: ONE, count: 2 })
    control.tap({ openId: OPEN_ID, answers: { [ONE]: 'reject' } })
    expect(await code()).toBe(0)
    control.turnOff({ openId: OPEN_ID, templateIds: [ONE] })
    expect(await code()).toBe(43101)
    control.tap({ openId: OPEN_ID, answers: { [ONE]: 'accept' } })
    expect(await code()).toBe(0)
  })

  it('are of no use while the main switch is off', async () => {
    const { control, code, request } = await subscribeSetup()
    control.grantSubscription({ openId: OPEN_ID, templateId: ONE })
    control.setPerson({ openId: OPEN_ID, receives: false })
    expect(await code()).toBe(43101)
    expect(request()).toMatchObject({ errCode: 20004 })
    control.setPerson({ openId: OPEN_ID, receives: true })
    expect(await code()).toBe(0)
  })

  it('of a long-term template are never used up', async () => {
    const { control, code, request } = await subscribeSetup()
    expect(await code({ template_id: 'long-term' })).toBe(43101)
    request({ templateIds: ['long-term'] })
    expect([await code({ template_id: 'long-term' }), await code({ template_id: 'long-term' })]).toEqual([
      0, 0,
    ])
    control.turnOff({ openId: OPEN_ID, templateIds: ['long-term'] })
    expect(await code({ template_id: 'long-term' })).toBe(43101)
  })
})

describe('wx.requestSubscribeMessage', () => {
  it('is answered per template, and each accept is good for one message', async () => {
    const { request, code } = await subscribeSetup()
    expect(request({ templateIds: [ONE, TWO], answers: { [TWO]: 'reject' } })).toEqual({
      errMsg: 'requestSubscribeMessage:ok',
      [ONE]: 'accept',
      [TWO]: 'reject',
    })
    expect([await code(), await code(), await code({ template_id: TWO })]).toEqual([0, 43101, 43101])
  })

  it('asks no more for a choice that is kept, and a kept accept is good for one message each time', async () => {
    const { control, request, code } = await subscribeSetup()
    control.configureCallback({
      url: 'http://127.0.0.1:9',
      token: 't',
      encodingAesKey: '',
      mode: 'plain',
      format: 'json',
      auto: false,
    })
    request({ always: true })
    request({ answers: { [ONE]: 'reject' } })
    expect([await code(), await code(), await code()]).toEqual([0, 0, 43101])
    expect(control.pushes().filter(({ event }) => event === 'subscribe_msg_popup_event')).toHaveLength(1)
  })

  it('keeps a refusal too, which voids what was accepted before', async () => {
    const { request, code } = await subscribeSetup()
    request()
    request({ answers: { [ONE]: 'reject' }, always: true })
    expect(await code()).toBe(43101)
    expect(request()).toMatchObject({ [ONE]: 'reject' })
    expect(await code()).toBe(43101)
  })

  it('keeps an accept until the template is turned off in the settings', async () => {
    const { control, request, code } = await subscribeSetup()
    request({ always: true })
    control.turnOff({ openId: OPEN_ID, templateIds: [ONE] })
    expect(request()).toMatchObject({ [ONE]: 'reject' })
    expect(await code()).toBe(43101)
  })

  it('filters a second template of the same title, and tells of a banned one', async () => {
    const { control, request } = await subscribeSetup()
    expect(request({ templateIds: [ONE, 'same-title'] })).toMatchObject({
      [ONE]: 'accept',
      'same-title': 'filter',
    })
    control.ban({ templateId: ONE })
    expect(request()).toMatchObject({ [ONE]: 'ban' })
  })

  it.each([
    [10001, { templateIds: [] }],
    [20001, { templateIds: ['nope'] }],
    [20001, { templateIds: ['of-form-ids'] }],
    [20002, { templateIds: [ONE, 'long-term'] }],
    [20003, { templateIds: [ONE, ONE, ONE, ONE, ONE, ONE] }],
  ])('fails with %i for %o', async (errCode, changes) => {
    const { request } = await subscribeSetup()
    expect(request(changes)).toEqual({
      errMsg: expect.stringMatching(/^requestSubscribeMessage:fail ./),
      errCode,
    })
  })

  it('is played over HTTP as well', async () => {
    const { post, control, code } = await subscribeSetup()
    const { text } = await post('/sandbox/subscription-requests', {
      open_id: OPEN_ID,
      template_ids: [ONE],
      always: true,
    })
    expect(JSON.parse(text)).toEqual({ errMsg: 'requestSubscribeMessage:ok', [ONE]: 'accept' })
    expect(await code()).toBe(0)
    expect((await post('/sandbox/bans', {})).status).toBe(204)
    expect(control.requestSubscription({ openId: OPEN_ID, templateIds: [ONE] })).toMatchObject({
      errCode: 20005,
    })
  })
})

describe('a subscribe message', () => {
  it.each([
    ['a banned template', { templateId: ONE }],
    ['an account whose subscribe messages are banned', {}],
  ])('of %s is refused with 43107 until the ban is lifted', async (_, ban) => {
    const { control, code } = await subscribeSetup()
    control.grantSubscription({ openId: OPEN_ID, templateId: ONE })
    control.ban(ban)
    expect(await code()).toBe(43107)
    control.ban({ ...ban, banned: false })
    expect(await code()).toBe(0)
  })

  it('names the version and the language that it opens, or neither', async () => {
    const { control, send, code } = await subscribeSetup()
    control.grantSubscription({ openId: OPEN_ID, templateId: ONE, count: 20 })
    for (const miniprogram_state of ['developer', 'trial', 'formal'])
      for (const lang of ['zh_CN', 'en_US', 'zh_HK', 'zh_TW'])
        expect(await code({ miniprogram_state, lang })).toBe(0)
    expect((await send({ miniprogram_state: 'release' })).errmsg).toMatch(
      /^argument invalid! miniprogram_state invalid rid: /,
    )
    expect(await send({ lang: 'zh-CN' })).toMatchObject({
      errcode: 47003,
      errmsg: expect.stringContaining('lang invalid'),
    })
  })

  it('is refused with 43108 while another one to the same person is under way', async () => {
    const { control, code } = await subscribeSetup()
    control.grantSubscription({ openId: OPEN_ID, templateId: ONE, count: 3 })
    control.grantSubscription({ openId: 'oOther', templateId: ONE })
    control.addFault({ kind: 'latency', ms: 2000, times: 1, match: { path: SUBSCRIBE } })
    const first = code()
    await eventually('the first send arrives', () => control.faults()[0]?.struck === 1)
    expect(await code()).toBe(43108)
    expect(await code({ touser: 'oOther' })).toBe(0)
    expect(await first).toBe(0)
    expect(await code()).toBe(0)
    expect(control.ledger()).toHaveLength(3)
  })

  it('may be accepted and lost, which only the event tells', async () => {
    const { control, code, post } = await subscribeSetup()
    control.grantSubscription({ openId: OPEN_ID, templateId: ONE })
    const person = { open_ids: [OPEN_ID], fails: 'failed: system failed' }
    expect((await post('/sandbox/people', person, { method: 'PUT' })).status).toBe(204)
    expect(await code()).toBe(0)
    expect(control.ledger()).toEqual([])
    expect(await code()).toBe(43101)
  })

  it('needs a template of subscribe messages, and an account that has them', async () => {
    const { code, sendTo } = await subscribeSetup()
    expect(await code({ template_id: 'of-form-ids' })).toBe(40037)
    expect((await sendTo('/cgi-bin/message/template/send', {})).json.errcode).toBe(48001)
  })
})
