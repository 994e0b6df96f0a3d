import { describe, expect, it } from 'vitest'
import { DAY, HOUR } from '../../src/sandbox/clock.js'
import { APP_ID, TEMPLATE_ID } from '../helpers/constants.js'
import { DATA, OPEN_ID, START, setup } from './helpers.js'

const SEND = '/cgi-bin/message/wxopen/template/send'

async function delivered(count: number) {
  const world = await setup()
  for (let message = 0; message < count; message += 1) await world.send()
  return world
}

describe('the ledger over HTTP', () => {
  it('is read page by page', async () => {
    const { call } = await delivered(5)
    const first = (await call('/sandbox/ledger?limit=2')).text
    expect(JSON.parse(first)).toMatchObject({ deliveries: [{ seq: 1 }, { seq: 2 }], next: 2 })
    const last = (await call('/sandbox/ledger?after=4&limit=2')).text
    expect(JSON.parse(last)).toMatchObject({
      deliveries: [{ seq: 5, open_id: OPEN_ID, data: DATA, answered: true }],
      next: null,
    })
  })

  it('is the one that the process sees', async () => {
    const { call, control } = await delivered(3)
    expect((await call('/sandbox/ledger')).text).toBe(
      JSON.stringify({ deliveries: control.ledger(), next: null }),
    )
  })
})

describe('the control plane', () => {
  it.each([
    ['GET', '/sandbox/stats'],
    ['GET', '/sandbox/ledger'],
    ['POST', '/sandbox/reset'],
    ['POST', '/sandbox/form-ids'],
    ['POST', '/sandbox/login-codes'],
    ['POST', '/sandbox/faults'],
    ['POST', '/sandbox/pushes'],
  ])('takes no command of a web page: %s %s', async (method, path) => {
    const { call, control, send } = await delivered(1)
    for (const origin of ['https://strangers.example', 'http://127.0.0.1:3100', 'null'])
      expect(await call(path, { method, headers: { origin } })).toMatchObject({ status: 403 })
    expect(control.ledger()).toHaveLength(1)
    await send()
    expect(control.ledger()).toHaveLength(2)
  })

  it('lets a web page ask WeChat itself, as WeChat does', async () => {
    const { call } = await setup()
    const { json } = await call('/cgi-bin/token', { headers: { origin: 'https://strangers.example' } })
    expect(json.errcode).toBeGreaterThan(0)
  })
})

describe('the summary', () => {
  it('counts users, repeats of a Beijing day, and answers by errcode', async () => {
    const { send, control, call, newToken } = await setup()
    await send()
    await send({ form_id: 'none' })
    control.advanceClock(14 * HOUR - 1)
    await send({}, { token: await newToken() })
    control.advanceClock(1)
    await send({}, { token: await newToken() })
    const other = 'oSandboxUser0000000000000002'
    await send(
      { touser: other, form_id: control.issueFormId({ openId: other }) },
      { token: await newToken() },
    )
    expect(control.summary()).toEqual({
      delivered: 4,
      unanswered: 0,
      users: 2,
      repeated: 1,
      repeats: [{ app_id: APP_ID, open_id: OPEN_ID, date: 20260302, count: 2 }],
      answers: { 0: 8, 41028: 1 },
    })
    expect(JSON.parse((await call('/sandbox/summary?date=20260303')).text)).toMatchObject({
      delivered: 2,
      users: 2,
      repeated: 0,
    })
  })

  it('counts what the client was not told of', async () => {
    const { send, control } = await setup()
    control.addFault({ kind: 'garbage', match: { path: SEND } })
    await send()
    expect(control.summary()).toMatchObject({ delivered: 1, unanswered: 1 })
  })
})

describe('form_ids over HTTP', () => {
  it('are issued and registered in bulk', async () => {
    const { post, send } = await setup()
    const items = [
      { open_id: OPEN_ID },
      { open_id: OPEN_ID, form_id: 'given' },
      { open_id: OPEN_ID, at: START - 8 * DAY },
    ]
    const { form_ids } = JSON.parse((await post('/sandbox/form-ids', { items })).text)
    expect(form_ids).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), 'given', expect.any(String)])
    const errcodes = []
    for (const form_id of form_ids) errcodes.push((await send({ form_id })).json.errcode)
    expect(errcodes).toEqual([0, 0, 41028])
  })

  it('come a hundred thousand at a time', { tags: ['long'] }, async () => {
    const { post, control } = await setup()
    const items = Array.from({ length: 100_000 }, (_, user) => ({ open_id: `oUser${user}` }))
    expect((await post('/sandbox/form-ids', { items })).status).toBe(200)
    expect(control.stats().form_ids).toBe(100_000)
  })

  it('of payments are good for three messages', async () => {
    const { post, send } = await setup()
    const { text } = await post('/sandbox/prepay-ids', { items: [{ open_id: OPEN_ID }] })
    const [form_id] = JSON.parse(text).prepay_ids
    expect(form_id).toMatch(/^wx20260302020000[0-9a-f]{20}$/)
    for (const errcode of [0, 0, 0, 41029]) expect((await send({ form_id })).json.errcode).toBe(errcode)
  })
})

describe('users over HTTP', () => {
  it('accept subscriptions and follow', async () => {
    const { post, sendTo } = await setup()
    const message = { touser: OPEN_ID, template_id: TEMPLATE_ID, data: DATA }
    await post('/sandbox/subscriptions', {
      template_id: TEMPLATE_ID,
      items: [{ open_id: OPEN_ID, count: 2 }],
    })
    for (const errcode of [0, 0, 43101]) {
      expect((await sendTo('/cgi-bin/message/subscribe/send', message)).json.errcode).toBe(errcode)
    }
    await post('/sandbox/followers', { open_ids: [OPEN_ID] })
    expect((await sendTo('/cgi-bin/message/template/send', message)).json.errcode).toBe(0)
    await post('/sandbox/followers', { open_ids: [OPEN_ID], follows: false })
    expect((await sendTo('/cgi-bin/message/template/send', message)).json.errcode).toBe(43004)
  })
})

describe('the control plane over HTTP', () => {
  it('adds, lists, removes and clears faults', async () => {
    const { post, call, send, control } = await setup()
    const fault = { id: 'busy', kind: 'errcode', errcode: 45011, match: { path: SEND }, rate: 1 }
    expect(await post('/sandbox/faults', fault)).toMatchObject({ status: 201, text: '{"id":"busy"}' })
    expect((await send()).json.errcode).toBe(45011)
    expect(JSON.parse((await call('/sandbox/faults')).text)).toEqual({
      faults: [{ ...fault, seen: 1, struck: 1 }],
    })
    expect((await call('/sandbox/faults/busy', { method: 'DELETE' })).status).toBe(204)
    expect((await call('/sandbox/faults/busy', { method: 'DELETE' })).status).toBe(404)
    await post('/sandbox/faults', { kind: 'hang' })
    expect((await call('/sandbox/faults', { method: 'DELETE' })).status).toBe(204)
    expect(control.faults()).toEqual([])
  })

  it('moves the clock, kills tokens and changes settings', async () => {
    const { post, newToken, send, sendTo, message } = await setup()
    expect((await post('/sandbox/clock', { advance_ms: DAY })).text).toBe(`{"now":${START + DAY}}`)
    expect((await send()).json.errcode).toBe(0)
    expect((await post('/sandbox/tokens/kill', {})).text).toBe('{"killed":1}')
    expect((await send()).json.errcode).toBe(40001)
    const settings = { retired: true, accept_unknown_form_ids: true, daily_quotas: { [SEND]: 3 } }
    const init = { method: 'PUT' }
    expect((await post('/sandbox/settings', settings, init)).status).toBe(204)
    const token = await newToken()
    expect((await sendTo(SEND, message(), { token })).json.errcode).toBe(45103)
    await post('/sandbox/settings', { retired: false }, init)
    expect((await sendTo(SEND, message({ form_id: 'new' }), { token })).json.errcode).toBe(0)
    expect((await sendTo(SEND, message(), { token })).json.errcode).toBe(45009)
  })

  it('counts answers by path', async () => {
    const { call, send } = await setup()
    await send()
    await send({ form_id: 'none' })
    expect(JSON.parse((await call('/sandbox/stats')).text)).toMatchObject({
      now: START,
      clock_offset_ms: 0,
      delivered: 1,
      answers: { [SEND]: { 0: 1, 41028: 1 }, '/cgi-bin/stable_token': { 0: 1 } },
    })
  })

  it('resets to how the sandbox was started', async () => {
    const { post, control, send } = await setup()
    const before = control.stats()
    await send()
    control.configure({ retired: true, dailyQuotas: { [SEND]: 0 } })
    control.advanceClock(DAY)
    control.addFault({ kind: 'errcode' })
    await post('/sandbox/reset', {})
    expect(control.stats()).toEqual({ ...before, peak_in_flight: 0 })
    expect(control.faults()).toEqual([])
    expect((await send()).json.errcode).toBe(40001)
  })

  it.each([
    ['/sandbox/faults', { kind: 'nonsense' }],
    ['/sandbox/faults', { kind: 'hang', rates: 0.5 }],
    ['/sandbox/faults', { kind: 'hang', rate: 2 }],
    ['/sandbox/faults', { kind: 'cut_after', effect: 'before' }],
    ['/sandbox/form-ids', { app_id: 'wxnobody', items: [{ open_id: OPEN_ID }] }],
    ['/sandbox/clock', {}],
  ])('refuses at %s the mistake in %o', async (path, body) => {
    const { post, control } = await setup()
    expect((await post(path, body)).status).toBe(400)
    expect(control.faults()).toEqual([])
  })
})
