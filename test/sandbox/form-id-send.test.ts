import { describe, expect, it } from 'vitest'
import { DAY, HOUR } from '../../src/sandbox/clock.js'
import { APP_ID, PAGE, TEMPLATE_ID } from '../helpers/constants.js'
import { DATA, OPEN_ID, START, setup } from './helpers.js'

const SEND = '/cgi-bin/message/wxopen/template/send'
const OTHER_USER = 'oSandboxUser0000000000000002'

describe('a form_id message', () => {
  it('is delivered and written in the ledger', async () => {
    const { send, control } = await setup()
    const formId = control.issueFormId({ openId: OPEN_ID })
    const { status, text } = await send({ form_id: formId })
    expect(status).toBe(200)
    expect(text).toBe('{"errcode":0,"errmsg":"ok"}')
    expect(formId).toMatch(/^[0-9a-f]{32}$/)
    expect(control.ledger()).toEqual([
      {
        seq: 1,
        at: START,
        app_id: APP_ID,
        channel: 'form_id',
        open_id: OPEN_ID,
        template_id: TEMPLATE_ID,
        form_id: formId,
        page: PAGE,
        data: DATA,
        msgid: null,
        answered: true,
      },
    ])
  })

  it('uses its form_id up: a second one is refused with 41029', async () => {
    const { send, message, control } = await setup()
    const { form_id } = message()
    expect((await send({ form_id })).json.errcode).toBe(0)
    expect((await send({ form_id })).json).toEqual({
      errcode: 41029,
      errmsg: expect.stringMatching(/^form id used count reach limit rid: /),
    })
    expect(control.ledger()).toHaveLength(1)
  })

  it('is delivered once when fifty race for the same form_id', async () => {
    const { send, message, control } = await setup()
    const { form_id } = message()
    await send()
    const answers = await Promise.all(Array.from({ length: 50 }, () => send({ form_id })))
    const errcodes = answers.map(({ json }) => json.errcode).sort()
    expect(errcodes).toEqual([0, ...Array.from({ length: 49 }, () => 41029)])
    expect(control.ledger().filter((delivery) => delivery.form_id === form_id)).toHaveLength(1)
  })

  it.each([
    ['one that was never issued', '0123456789abcdef0123456789abcdef'],
    ['the mock of the developer tools', 'the formId is a mock one'],
    ['a failed request', 'requestFormId:fail deprecated'],
    ['an empty one', ''],
    ['none', undefined],
    ['a number', 12],
  ])('is refused with 41028 for %s', async (_name, form_id) => {
    const { send } = await setup()
    expect((await send({ form_id })).json.errcode).toBe(41028)
  })

  it('is refused with 41028 when the form_id is another user’s', async () => {
    const { send, control } = await setup()
    const form_id = control.issueFormId({ openId: OTHER_USER })
    expect((await send({ form_id })).json.errcode).toBe(41028)
    expect((await send({ form_id, touser: OTHER_USER })).json.errcode).toBe(0)
  })

  it('is refused with 41028 from seven days after the submit', async () => {
    const { send, control, newToken } = await setup()
    const early = control.issueFormId({ openId: OPEN_ID, at: START - 7 * DAY + 1 })
    const late = control.issueFormId({ openId: OPEN_ID, at: START - 7 * DAY })
    expect((await send({ form_id: early })).json.errcode).toBe(0)
    expect((await send({ form_id: late })).json.errcode).toBe(41028)
    const now = control.issueFormId({ openId: OPEN_ID })
    control.advanceClock(7 * DAY)
    expect((await send({ form_id: now }, { token: await newToken() })).json.errcode).toBe(41028)
  })

  it('goes out three times on one prepay_id', async () => {
    const { send, control } = await setup()
    const form_id = control.issuePrepayId({ openId: OPEN_ID })
    const errcodes = []
    for (let use = 0; use < 4; use += 1) errcodes.push((await send({ form_id })).json.errcode)
    expect(errcodes).toEqual([0, 0, 0, 41029])
  })

  it('uses a registered form_id, which registering again does not refresh', async () => {
    const { send, control } = await setup()
    control.registerFormId({ openId: OPEN_ID, formId: 'given' })
    expect((await send({ form_id: 'given' })).json.errcode).toBe(0)
    control.registerFormId({ openId: OPEN_ID, formId: 'given' })
    expect((await send({ form_id: 'given' })).json.errcode).toBe(41029)
  })

  it('takes an unknown form_id once where the sandbox was told to, but never a mock', async () => {
    const { send } = await setup({ acceptUnknownFormIds: true })
    expect((await send({ form_id: 'from-elsewhere' })).json.errcode).toBe(0)
    expect((await send({ form_id: 'from-elsewhere' })).json.errcode).toBe(41029)
    expect((await send({ form_id: 'from-elsewhere', touser: OTHER_USER })).json.errcode).toBe(41028)
    expect((await send({ form_id: 'the formId is a mock one' })).json.errcode).toBe(41028)
    expect((await send({ form_id: 'undefined' })).json.errcode).toBe(41028)
  })

  it.each([
    ['an empty openid', 40003, { touser: '' }],
    ['no openid', 40003, { touser: undefined }],
    ['something that is no openid', 40003, { touser: 'zhang san' }],
    ['a template of nobody', 40037, { template_id: 'nope' }],
    ['no template', 40037, { template_id: undefined }],
    ['a page that is not released', 41030, { page: 'pages/draft/index' }],
  ])('is refused for %s with %i, and keeps its form_id', async (_name, errcode, changes) => {
    const { send, message } = await setup()
    const { form_id } = message()
    expect((await send({ ...changes, form_id })).json.errcode).toBe(errcode)
    expect((await send({ form_id })).json.errcode).toBe(0)
  })

  it('is refused with 40003 when only another account knows the openid', async () => {
    const accounts = [
      { appId: APP_ID, secret: '0123456789abcdef0123456789abcdef' },
      { appId: 'wx00000000000000aa', secret: 'other' },
    ]
    const { send, control } = await setup({ accounts })
    control.issueFormId({ appId: 'wx00000000000000aa', openId: OTHER_USER })
    expect((await send({ touser: OTHER_USER })).json.errcode).toBe(40003)
  })

  it('may open a page with a query, or no page', async () => {
    const { send } = await setup()
    expect((await send({ page: `${PAGE}?from=reminder` })).json.errcode).toBe(0)
    expect((await send({ page: `/${PAGE}` })).json.errcode).toBe(0)
    expect((await send({ page: '' })).json.errcode).toBe(0)
    expect((await send({ page: undefined })).json.errcode).toBe(0)
  })

  it('is refused with 47003 and the field when a key is missing or empty', async () => {
    const { send, message } = await setup()
    const { form_id } = message()
    const { keyword2: _, ...missing } = DATA
    const empty = { ...DATA, keyword4: { value: '' } }
    expect((await send({ form_id, data: missing })).json.errmsg).toMatch(
      /^argument invalid! data\.keyword2\.value is empty rid: /,
    )
    expect((await send({ form_id, data: empty })).json).toEqual({
      errcode: 47003,
      errmsg: expect.stringContaining('data.keyword4.value is empty'),
    })
    expect((await send({ form_id, data: JSON.stringify(DATA) })).json.errcode).toBe(47003)
    expect((await send({ form_id })).json.errcode).toBe(0)
  })

  it('may have no data at all', async () => {
    const { send } = await setup()
    expect((await send({ data: undefined })).json.errcode).toBe(0)
  })

  it('needs POST and a JSON object, whatever the content type', async () => {
    const { call, sendTo, send, newToken } = await setup()
    const token = await newToken()
    expect((await call(`${SEND}?access_token=${token}`)).json.errcode).toBe(43002)
    expect((await sendTo(SEND, '')).json.errcode).toBe(44002)
    expect((await sendTo(SEND, '{"touser":')).json.errcode).toBe(47001)
    expect((await sendTo(SEND, '[]')).json.errcode).toBe(47001)
    expect((await send({}, { headers: { 'content-type': 'text/plain' } })).json.errcode).toBe(0)
  })

  it('is refused with 45103 since the channel is retired, form_id unspent', async () => {
    const { send, message, control } = await setup({ retired: true })
    const { form_id } = message()
    expect((await send({ form_id })).json).toEqual({
      errcode: 45103,
      errmsg: expect.stringMatching(/^This API has been unsupported rid: /),
    })
    control.configure({ retired: false })
    expect((await send({ form_id })).json.errcode).toBe(0)
  })

  it('is refused with 45009 when the day’s quota is used up, until midnight in Beijing', async () => {
    const { send, message, control, newToken } = await setup()
    control.configure({ dailyQuotas: { [SEND]: 2 } })
    const { form_id } = message()
    expect((await send()).json.errcode).toBe(0)
    expect((await send({ form_id: 'refusals count too' })).json.errcode).toBe(41028)
    expect((await send({ form_id })).json.errcode).toBe(45009)
    control.advanceClock(14 * HOUR - 1)
    expect((await send({ form_id }, { token: await newToken() })).json.errcode).toBe(45009)
    control.advanceClock(1)
    expect((await send({ form_id }, { token: await newToken() })).json.errcode).toBe(0)
  })
})

describe('an account', () => {
  it('passes every template and page when it lists none', async () => {
    const { send } = await setup({
      accounts: [{ appId: APP_ID, secret: '0123456789abcdef0123456789abcdef' }],
    })
    expect((await send({ template_id: 'any', page: 'any', data: {} })).json.errcode).toBe(0)
  })
})

describe('a path that does not exist', () => {
  it('is an invalid url below /cgi-bin/ and not found elsewhere', async () => {
    const { call, post } = await setup()
    expect(await post('/cgi-bin/nothing', {})).toMatchObject({ status: 200, json: { errcode: 40066 } })
    expect(await call('/nothing')).toMatchObject({ status: 404, json: { errcode: 404 } })
  })
})
