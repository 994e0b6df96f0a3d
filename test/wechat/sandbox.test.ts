import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { createSharedToken, type SharedToken } from '../../src/tokens/shared-token.js'
import { createTableStore } from '../../src/tokens/table-store.js'
import { fetchAccessToken } from '../../src/wechat/access-token.js'
import { createWechatClient, type WechatClient } from '../../src/wechat/client.js'
import { createWechatHttp, type WechatHttp } from '../../src/wechat/http.js'
import { APP_ID, APP_SECRET, TEMPLATE_ID } from '../helpers/constants.js'
import { useDatabase } from '../helpers/database.js'
import { recordingLogger } from '../helpers/tokens.js'

const OPEN_ID = 'oSandboxUser0000000000000001'
const data = {
  keyword1: { value: '日领积分' },
  keyword2: { value: '3天' },
  keyword4: { value: '2026-03-02' },
}

describe.each(['stable', 'classic'] as const)('client, tokens and sandbox together, %s', (tokenMode) => {
  let sandbox: Sandbox
  const database = useDatabase('sqlite')
  let http: WechatHttp
  let tokens: SharedToken
  let client: WechatClient
  let logger: ReturnType<typeof recordingLogger>

  beforeEach(async () => {
    sandbox = await startSandbox()
    http = createWechatHttp({ baseUrl: sandbox.url, connections: 8 })
    logger = recordingLogger()
    const account = { appId: APP_ID, appSecret: APP_SECRET, tokenMode }
    tokens = createSharedToken({
      store: createTableStore(database.db, account.appId),
      appId: account.appId,
      fetchToken: (signal) => fetchAccessToken(http, account, signal),
      owner: 'me',
      now: Date.now,
      logger,
    })
    client = createWechatClient({ http, tokens })
  })
  afterEach(async () => {
    await tokens.close()
    await sandbox.close()
    await http.close()
  })

  /** Waits only so long for an answer that is not to come. */
  function impatient(): WechatClient {
    const options = { connections: 1, headersTimeoutMs: 500, bodyTimeoutMs: 500 }
    const short = createWechatHttp({ baseUrl: sandbox.url, ...options })
    onTestFinished(() => short.close())
    return createWechatClient({ http: short, tokens })
  }

  const message = () => ({
    touser: OPEN_ID,
    template_id: TEMPLATE_ID,
    form_id: sandbox.control.issueFormId({ openId: OPEN_ID }),
    data,
  })

  test('a form_id brings one message, and a second try with it is told so', async () => {
    const once = message()
    expect(await client.sendTemplateMessage(once)).toEqual({ kind: 'accepted' })
    expect(await client.sendTemplateMessage(once)).toMatchObject({
      kind: 'refused',
      errcode: 41029,
      rid: expect.any(String),
      entry: { class: 'dead_permit' },
    })
    expect(sandbox.control.ledger()).toMatchObject([{ form_id: once.form_id, data, answered: true }])
  })

  test('an official message comes with every digit of its msgid, and once for one client_msg_id', async () => {
    sandbox.control.follow({ openId: OPEN_ID })
    const official = { touser: OPEN_ID, template_id: TEMPLATE_ID, data, client_msg_id: 'm-1' }
    const result = await client.sendOfficialTemplateMessage(official)
    await client.sendOfficialTemplateMessage(official)
    const ledger = sandbox.control.ledger()
    expect(ledger).toHaveLength(1)
    expect(result).toEqual({ kind: 'accepted', msgid: ledger[0]?.msgid })
  })

  test('a subscription is used up by its message', async () => {
    sandbox.control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE_ID })
    const subscribe = { touser: OPEN_ID, template_id: TEMPLATE_ID, data }
    expect(await client.sendSubscribeMessage(subscribe)).toMatchObject({ kind: 'accepted' })
    expect(await client.sendSubscribeMessage(subscribe)).toMatchObject({
      kind: 'refused',
      errcode: 43101,
      entry: { class: 'user', stops: 'opt_out' },
    })
  })

  test('a token that dies in the middle of a run is replaced once, and no message is lost', async () => {
    await client.sendTemplateMessage(message())
    sandbox.control.killTokens()
    const results = await Promise.all(Array.from({ length: 50 }, () => client.sendTemplateMessage(message())))
    expect(results.map((result) => result.kind)).toEqual(Array(50).fill('accepted'))
    expect(sandbox.control.summary().delivered).toBe(51)
    expect(tokens.counters()).toMatchObject({ refreshed: 2, earlyDeaths: { count: 1 } })
  })

  test.each([
    ['hang', 'headers_timeout'],
    ['stall', 'body_timeout'],
    ['cut_before', 'connection_lost'],
    ['cut_after', 'connection_lost'],
    ['truncated', 'connection_lost'],
    ['garbage', 'unreadable'],
    ['huge_body', 'answer_too_large'],
    ['http_status', 'http_502'],
  ] as const)('the fault %s leaves open whether the message was delivered', async (kind, reason) => {
    await tokens.get()
    sandbox.control.addFault({ kind, times: 1 })
    const once = message()
    const hasNoEnd = kind === 'hang' || kind === 'stall'
    expect(await (hasNoEnd ? impatient() : client).sendTemplateMessage(once)).toMatchObject({
      kind: 'ambiguous',
      reason,
    })
    const again = await client.sendTemplateMessage(once)
    expect(again).toMatchObject(
      sandbox.control.ledger()[0]?.answered ? { kind: 'accepted' } : { errcode: 41029 },
    )
    expect(sandbox.control.ledger()).toHaveLength(1)
  })

  test('the right answer under a wrong content type is the right answer', async () => {
    await tokens.get()
    sandbox.control.addFault({ kind: 'wrong_content_type', times: 1 })
    expect(await client.sendTemplateMessage(message())).toEqual({ kind: 'accepted' })
  })

  test('a redirect is not followed', async () => {
    await tokens.get()
    sandbox.control.addFault({ kind: 'redirect', times: 1 })
    expect(await client.sendTemplateMessage(message())).toMatchObject({
      kind: 'refused',
      errcode: 302,
      entry: { class: 'configuration' },
    })
    expect(sandbox.control.stats().answers).not.toHaveProperty('/redirected')
  })

  test('a token endpoint that stumbles is asked again', async () => {
    const path = tokenMode === 'stable' ? '/cgi-bin/stable_token' : '/cgi-bin/token'
    sandbox.control.addFault({ kind: 'cut_before', match: { path }, times: 1 })
    sandbox.control.addFault({ kind: 'errcode', match: { path }, times: 1 })
    expect(await client.sendTemplateMessage(message())).toEqual({ kind: 'accepted' })
  })

  test('a token that no refresh mends ends as a configuration fault', async () => {
    sandbox.control.addFault({ kind: 'token_dead' })
    expect(await client.sendTemplateMessage(message())).toMatchObject({
      kind: 'refused',
      errcode: 40001,
      entry: { class: 'configuration' },
    })
  })

  test('nothing that is logged has a token or the secret in it', async () => {
    await client.sendTemplateMessage(message())
    const token = await tokens.get()
    sandbox.control.killTokens()
    await client.sendTemplateMessage(message())
    expect(logger.lines.length).toBeGreaterThan(2)
    const text = JSON.stringify(logger.lines)
    for (const secret of [token, await tokens.get(), APP_SECRET]) expect(text).not.toContain(secret)
  })
})
