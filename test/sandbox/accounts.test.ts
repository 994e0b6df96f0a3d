import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readAccountsFile } from '../../src/sandbox/accounts-file.js'
import { OPEN_ID, setup } from './helpers.js'

const SEND = '/cgi-bin/message/wxopen/template/send'

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sandbox-accounts-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'accounts.json')
  writeFileSync(path, text)
  return path
}

const ACCOUNTS = {
  accounts: [
    {
      app_id: 'wxMini',
      app_secret: 'a'.repeat(32),
      channel: 'subscribe',
      templates: [{ template_id: 't-1', content: '事项:{{thing1.DATA}}\n', title: '提醒', type: 2 }],
      pages: ['pages/index'],
    },
    { app_id: 'wxService', app_secret: 'b'.repeat(32), channel: 'official', linked_apps: ['wxMini'] },
    { app_id: 'wxOld', app_secret: 'c'.repeat(32), channel: 'form_id', ip_allowlist: ['127.0.0.1'] },
  ],
}

describe('an accounts file', () => {
  it('gives the sandbox accounts of all channels, each with tokens and messages of its own', async () => {
    const accounts = readAccountsFile(fileWith(JSON.stringify(ACCOUNTS)))
    const { control, newToken, sendTo } = await setup({ accounts })
    const token = (n: number) => {
      const { app_id: appid, app_secret: secret } = ACCOUNTS.accounts[n] ?? { app_id: '', app_secret: '' }
      return newToken({ appid, secret })
    }
    const send = async (n: number, path: string, body: object) =>
      (await sendTo(path, { touser: OPEN_ID, ...body }, { token: await token(n) })).json.errcode
    control.grantSubscription({ appId: 'wxMini', openId: OPEN_ID, templateId: 't-1' })
    control.follow({ appId: 'wxService', openId: OPEN_ID })
    const formId = control.issueFormId({ appId: 'wxOld', openId: OPEN_ID })
    const data = { thing1: { value: '签到' } }
    const miniprogram = { appid: 'wxMini', pagepath: 'pages/index' }
    expect(await send(0, '/cgi-bin/message/subscribe/send', { template_id: 't-1', data })).toBe(0)
    expect(await send(1, '/cgi-bin/message/template/send', { template_id: 'any', data, miniprogram })).toBe(0)
    expect(await send(2, SEND, { template_id: 'any', form_id: formId })).toBe(0)
    expect(control.ledger().map(({ app_id, channel }) => [app_id, channel])).toEqual([
      ['wxMini', 'subscribe'],
      ['wxService', 'official'],
      ['wxOld', 'form_id'],
    ])
  })

  it.each([
    ['no JSON', '{', /accounts\.json: .*JSON/],
    ['no account', '{"accounts":[]}', /accounts\.json: \/accounts must not have fewer than 1 items/],
    [
      'an account without a secret',
      '{"accounts":[{"app_id":"wx1"}]}',
      /accounts\.json: \/accounts\/0 must have required properties app_secret/,
    ],
    [
      'a misspelt field',
      '{"accounts":[{"app_id":"wx1","app_secret":"s","template":[]}]}',
      /accounts\.json: \/accounts\/0\/template is not a known field/,
    ],
  ])('with %s is refused, and says where', (_, text, reason) => {
    expect(() => readAccountsFile(fileWith(text))).toThrow(reason)
  })

  it('that does not exist is named', () => {
    expect(() => readAccountsFile('/no/such/accounts.json')).toThrow(/^\/no\/such\/accounts\.json: ENOENT/)
  })
})

describe('a fault for one account', () => {
  it('leaves the other accounts alone', async () => {
    const accounts = readAccountsFile(fileWith(JSON.stringify(ACCOUNTS)))
    const { control, stable, newToken, sendTo } = await setup({ accounts })
    control.addFault({ kind: 'errcode', errcode: -1, match: { app_id: 'wxOld' } })
    const [mini, service, old] = ACCOUNTS.accounts.map(({ app_id: appid, app_secret: secret }) => ({
      appid,
      secret,
    }))
    expect((await stable(old)).json.errcode).toBe(-1)
    const tokens = { mini: await newToken(mini), service: await newToken(service) }
    control.clearFaults()
    const oldToken = await newToken(old)
    control.addFault({ kind: 'errcode', errcode: -1, match: { app_id: 'wxOld' } })
    expect((await sendTo(SEND, {}, { token: oldToken })).json.errcode).toBe(-1)
    control.killTokens('wxOld')
    expect((await sendTo(SEND, {}, { token: oldToken })).json.errcode).toBe(-1)
    expect((await sendTo(SEND, {}, { token: tokens.mini })).json.errcode).toBe(40003)
    expect((await sendTo(SEND, {}, { token: tokens.service })).json.errcode).toBe(48001)
  })
})

describe('an account that is changed while the sandbox runs', () => {
  it('is there for the next call, and gone after a reset', async () => {
    const { post, call, control } = await setup()
    const account = ACCOUNTS.accounts[0]
    expect((await post('/sandbox/accounts', account, { method: 'PUT' })).status).toBe(204)
    expect((await post('/sandbox/accounts', { app_id: 'wx1' }, { method: 'PUT' })).status).toBe(400)
    const keyless = { ...account, templates: [{ template_id: 'x' }] }
    const refused = await post('/sandbox/accounts', keyless, { method: 'PUT' })
    expect(refused).toMatchObject({
      status: 400,
      text: expect.stringContaining('template x needs keys or content'),
    })
    expect(JSON.parse((await call('/sandbox/accounts')).text).accounts).toContain('wxMini')
    control.reset()
    expect(control.accounts()).not.toContain('wxMini')
  })
})
