import { describe, expect, test } from 'vitest'
import { createSender } from '../../src/messages/send.js'
import type { WechatClient } from '../../src/wechat/client.js'
import { ACCEPTED, held } from '../helpers/answers.js'

const MINIPROGRAM = { appid: 'wx0123456789abcdef', pagepath: 'pages/sign-in/index' }

/** What reaches WeChat of a message of a service account. */
async function sent(opens: { url?: string; miniprogram?: typeof MINIPROGRAM }): Promise<object> {
  const bodies: object[] = []
  const wechat: Pick<WechatClient, 'sendOfficialTemplateMessage'> = {
    sendOfficialTemplateMessage: async (body) => {
      bodies.push(body)
      return ACCEPTED
    },
  }
  const send = createSender(wechat as WechatClient, {
    miniprogramState: 'formal',
    lang: 'zh_CN',
    url: opens.url ?? '',
    miniprogram: opens.miniprogram,
  })
  await send(held({ id: 17, channel: 'official', permitId: null, formId: '', page: 'pages/sign-in/index' }))
  const [body] = bodies
  if (!body) throw new Error('Nothing was sent')
  return body
}

describe('a message of a service account', () => {
  test('carries its id as client_msg_id, and neither a page nor a form_id', async () => {
    const { openId, templateId, data } = held()
    expect(await sent({})).toEqual({ touser: openId, template_id: templateId, data, client_msg_id: '17' })
  })

  test.each([
    ['a web page', { url: 'https://example.com' }],
    ['a mini-program', { miniprogram: MINIPROGRAM }],
    [
      'a mini-program, and a web page for old clients',
      { url: 'https://example.com', miniprogram: MINIPROGRAM },
    ],
  ])('opens %s', async (_, opens) => {
    const { url, miniprogram } = { url: undefined, miniprogram: undefined, ...(await sent(opens)) }
    expect({ url, miniprogram }).toEqual({ url: undefined, miniprogram: undefined, ...opens })
  })
})
