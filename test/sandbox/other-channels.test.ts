import { describe, expect, it } from 'vitest'
import { MINUTE } from '../../src/sandbox/clock.js'
import { APP_ID } from '../helpers/constants.js'
import { OPEN_ID, setup } from './helpers.js'

const SUBSCRIBE = '/cgi-bin/message/subscribe/send'
const OFFICIAL = '/cgi-bin/message/template/send'
const TEMPLATE = 'a-template'

const accounts = [
  {
    appId: APP_ID,
    secret: '0123456789abcdef0123456789abcdef',
    templates: { [TEMPLATE]: ['thing1', 'number2', 'phrase3'] },
    pages: ['pages/index'],
  },
]

const message = {
  touser: OPEN_ID,
  template_id: TEMPLATE,
  page: 'pages/index',
  data: { thing1: { value: '日领积分' }, number2: { value: 3 }, phrase3: { value: '未签到' } },
}

describe('a subscribe message', () => {
  it('spends one accepted subscription, and without one is refused with 43101', async () => {
    const { sendTo, control } = await setup({ accounts })
    expect((await sendTo(SUBSCRIBE, message)).json).toEqual({
      errcode: 43101,
      errmsg: expect.stringMatching(/^user refuse to accept the msg rid: /),
    })
    control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE })
    control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE })
    const errcodes = []
    for (let send = 0; send < 3; send += 1) errcodes.push((await sendTo(SUBSCRIBE, message)).json.errcode)
    expect(errcodes).toEqual([0, 0, 43101])
    expect(control.ledger().map(({ channel, form_id }) => [channel, form_id])).toEqual([
      ['subscribe', null],
      ['subscribe', null],
    ])
  })

  it('is answered with a msgid that a double cannot hold', async () => {
    const { sendTo, control } = await setup({ accounts })
    control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE })
    const { text } = await sendTo(SUBSCRIBE, message)
    const [, msgid = ''] = /"msgid":(\d+)}$/.exec(text) ?? []
    expect(BigInt(Number(msgid))).not.toBe(BigInt(msgid))
    expect(BigInt(msgid)).toBeLessThan(2n ** 63n)
    expect(control.ledger()[0]?.msgid).toBe(msgid)
  })

  it.each([
    [40003, { touser: '' }],
    [40037, { template_id: 'nope' }],
    [41030, { page: 'pages/draft' }],
    [47003, { data: undefined }],
    [47003, { data: { ...message.data, thing1: { value: '一'.repeat(21) } } }],
    [47003, { data: { ...message.data, number2: { value: 'three' } } }],
    [47003, { data: { ...message.data, phrase3: { value: '13笔' } } }],
  ])('is refused with %i for %o, and keeps the subscription', async (errcode, changes) => {
    const { sendTo, control } = await setup({ accounts })
    control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE })
    expect((await sendTo(SUBSCRIBE, { ...message, ...changes })).json.errcode).toBe(errcode)
    expect((await sendTo(SUBSCRIBE, message)).json.errcode).toBe(0)
  })

  it('names the field that breaks the rule of its type', async () => {
    const { sendTo } = await setup({ accounts })
    const data = { ...message.data, number2: { value: 'three' } }
    expect((await sendTo(SUBSCRIBE, { ...message, data })).json.errmsg).toContain(
      'data.number2.value invalid',
    )
  })

  it('needs a living token', async () => {
    const { sendTo } = await setup({ accounts })
    expect((await sendTo(SUBSCRIBE, message, { token: 'x' })).json.errcode).toBe(40014)
  })
})

describe('a service-account message', () => {
  it('goes to followers only: others are refused with 43004', async () => {
    const { sendTo, control } = await setup({ accounts })
    expect((await sendTo(OFFICIAL, message)).json.errcode).toBe(43004)
    control.follow({ openId: OPEN_ID })
    expect((await sendTo(OFFICIAL, message)).text).toMatch(/^{"errcode":0,"errmsg":"ok","msgid":\d{19}}$/)
    control.unfollow({ openId: OPEN_ID })
    expect((await sendTo(OFFICIAL, message)).json.errcode).toBe(43004)
    expect(control.ledger().map(({ channel }) => channel)).toEqual(['official'])
  })

  it('is delivered once for one client_msg_id within ten minutes', async () => {
    const { sendTo, control } = await setup({ accounts })
    control.follow({ openId: OPEN_ID })
    const body = { ...message, client_msg_id: 'reminder-20260302' }
    const first = await sendTo(OFFICIAL, body)
    control.advanceClock(10 * MINUTE - 1)
    expect((await sendTo(OFFICIAL, body)).text).toBe(first.text)
    expect(control.ledger()).toHaveLength(1)
    const another = { ...body, data: { ...message.data, number2: { value: 4 } }, client_msg_id: 'another' }
    expect((await sendTo(OFFICIAL, another)).text).not.toBe(first.text)
    control.advanceClock(1)
    expect((await sendTo(OFFICIAL, body)).text).not.toBe(first.text)
    expect(control.ledger()).toHaveLength(3)
  })

  it('needs a template of this account and a living token', async () => {
    const { sendTo, control } = await setup({ accounts })
    control.follow({ openId: OPEN_ID })
    expect((await sendTo(OFFICIAL, { ...message, template_id: 'nope' })).json.errcode).toBe(40037)
    expect((await sendTo(OFFICIAL, message, { token: 'x' })).json.errcode).toBe(40014)
  })
})
