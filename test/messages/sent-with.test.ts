import { afterEach, beforeEach, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import type { HeldMessage } from '../../src/messages/message.js'
import { createSender } from '../../src/messages/send.js'
import { createWechatClient } from '../../src/wechat/client.js'
import { createWechatHttp, type WechatHttp } from '../../src/wechat/http.js'
import { startWechatStub, type WechatStub } from '../helpers/wechat.js'

const MESSAGE: HeldMessage = {
  id: 7,
  lease: { claimId: 1, deadline: 0 },
  state: 'sending',
  appId: 'wx1',
  userId: 1,
  openId: 'o1',
  addressedTo: null,
  channel: 'subscribe',
  templateId: 'T',
  page: 'pages/sign-in/index',
  data: { thing1: { value: '每日签到' } },
  permitId: 1,
  formId: 'tap-1',
  permitSource: 'subscribe',
  attempts: 0,
  maybeSent: false,
  businessDate: 20261120,
  kind: 'reminder',
  spared: 0,
  submittedBy: '',
  notAfter: null,
  runId: 1,
  createdAt: 0,
}

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

/** What WeChat is asked for a message under these settings. */
async function asked(settings: Record<string, string>, message: HeldMessage): Promise<unknown> {
  const tokens = { get: async () => 'token', replace: async () => 'token' }
  const account = readAccount({ WX_APP_ID: 'wx1', ...settings })
  await createSender(createWechatClient({ http, tokens }), account)(message)
  return stub.asked.at(-1)?.json
}

test.each([
  [{}, 'formal', 'zh_CN'],
  [{ MINIPROGRAM_STATE: 'trial', MESSAGE_LANG: 'en_US' }, 'trial', 'en_US'],
  [{ MINIPROGRAM_STATE: 'developer', MESSAGE_LANG: 'zh_TW' }, 'developer', 'zh_TW'],
])('a subscribe message under %j opens the %s version in %s', async (settings, miniprogram_state, lang) => {
  expect(await asked(settings, MESSAGE)).toEqual({
    touser: 'o1',
    template_id: 'T',
    page: 'pages/sign-in/index',
    data: MESSAGE.data,
    miniprogram_state,
    lang,
  })
})

test('messages of the other channels do not carry them: WeChat knows them of subscribe messages alone', async () => {
  for (const channel of ['form_id', 'official'] as const) {
    const body = await asked({ MINIPROGRAM_STATE: 'trial' }, { ...MESSAGE, channel })
    expect(body).not.toHaveProperty('miniprogram_state')
    expect(body).not.toHaveProperty('lang')
  }
})
