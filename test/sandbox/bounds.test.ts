import { describe, expect, it } from 'vitest'
import { FormIds } from '../../src/sandbox/form-ids.js'
import { Ledger } from '../../src/sandbox/ledger.js'
import { Logins } from '../../src/sandbox/logins.js'
import { Recent } from '../../src/sandbox/recent.js'
import { SendFrequency } from '../../src/sandbox/send-frequency.js'
import { Tokens } from '../../src/sandbox/tokens.js'
import { Users } from '../../src/sandbox/users.js'
import { OPEN_ID, setup } from './helpers.js'

const message = {
  at: 0,
  app_id: 'wx1',
  channel: 'form_id' as const,
  open_id: 'o1',
  template_id: 't',
  form_id: 'f',
  page: null,
  data: null,
}

describe('a sandbox that runs for weeks', () => {
  it('keeps the latest deliveries, and their numbers go on', () => {
    const ledger = new Ledger(100)
    for (let n = 0; n < 1_000; n++) ledger.record(message)
    const kept = ledger.page()
    expect(kept.length).toBeLessThanOrEqual(100)
    expect(kept.length).toBeGreaterThan(80)
    expect(kept.at(-1)?.seq).toBe(1_000)
    expect(ledger.size).toBe(1_000)
    expect(ledger.forgotten).toBe(1_000 - kept.length)
    expect(ledger.summary().delivered).toBe(kept.length)
    // Pages go by seq, whatever is forgotten.
    expect(ledger.page(998, 10).map(({ seq }) => seq)).toEqual([999, 1_000])
    expect(ledger.page(0, 1)).toEqual([kept[0]])
  })

  it('keeps the latest form_ids, login codes and tokens', () => {
    const formIds = new FormIds(10)
    const logins = new Logins(10)
    const tokens = new Tokens(10)
    const [formId] = Array.from({ length: 11 }, () => formIds.issue('wx1', 'o1', 0))
    const [code] = Array.from({ length: 11 }, () => logins.issue('wx1', 'o1', undefined, 0))
    const [token] = Array.from({ length: 11 }, () => tokens.classic('wx1', 0).value)
    expect([formIds.size, logins.size, tokens.size]).toEqual([10, 10, 10])
    expect(formIds.use('wx1', 'o1', formId, 0)).toBe(41028)
    expect(logins.exchange('wx1', code, 0)).toEqual({ errcode: 40029 })
    expect(tokens.verify(token, 0)).toEqual({ errcode: 40001 })
  })

  it('keeps strange login codes within the same bound', () => {
    const logins = new Logins(10)
    logins.anyCode = true
    for (let n = 0; n < 50; n++) logins.exchange('wx1', `code-${n}`, n)
    expect(logins.size).toBe(10)
  })

  it('remembers client_msg_ids and duplicates no longer than they count', () => {
    const recent = new Recent<string>(1_000)
    for (let n = 0; n < 500; n++) recent.add(`id-${n}`, 'x', n * 100)
    expect(recent.size).toBeLessThanOrEqual(10)
    expect(recent.find('id-499', 49_900)).toBe('x')
    expect(recent.find('id-499', 50_900)).toBeUndefined()
    expect(recent.size).toBe(0)
  })

  it('forgets when people got their messages once it is long ago', () => {
    const frequency = new SendFrequency()
    frequency.setLimit({ messages: 1, seconds: 1 })
    for (let n = 0; n < 500; n++) frequency.count('wx1', `o${n}`, n * 100)
    expect(frequency.size).toBeLessThanOrEqual(10)
    expect(frequency.isTooMuch('wx1', 'o499', 49_900)).toBe(true)
  })

  it('forgets a subscription that is used up', () => {
    const users = new Users()
    users.grant('wx1', 'o1', 't', 1)
    users.spendSubscription('wx1', 'o1', 't')
    expect(users.subscriptions).toBe(0)
  })

  it('keeps the latest pushes, sent or not', async () => {
    const { control } = await setup({ bounds: { pushes: 5 } })
    const url = 'http://127.0.0.1:9/nobody'
    control.configureCallback({
      url,
      token: 't',
      encodingAesKey: '',
      mode: 'plain',
      format: 'json',
      auto: false,
    })
    control.follow({ openId: OPEN_ID })
    const [first] = control.pushes()
    for (let n = 1; n < 20; n++) control.follow({ openId: OPEN_ID })
    expect(control.pushes().map(({ id }) => id)).toEqual([16, 17, 18, 19, 20])
    await control.sendPushes()
    expect(control.pushes().map(({ state }) => state)).toEqual(Array(5).fill('given_up'))
    expect(first?.state).toBe('waiting')
  })

  it('says how much it has forgotten', async () => {
    const { control, send } = await setup({ bounds: { deliveries: 3 } })
    for (let n = 0; n < 5; n++) await send()
    expect(control.stats()).toMatchObject({ delivered: 5, forgotten: 2 })
  })
})
