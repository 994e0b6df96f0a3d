import { describe, expect, test } from 'vitest'
import { createSender } from '../../src/messages/send.js'
import type { WechatClient } from '../../src/wechat/client.js'
import { ACCEPTED, held } from '../helpers/answers.js'

const MINIPROGRAM = { appid: 'wx0123456789abcdef', pagepath: 'pages/sign-in/index' }

/** What reaches WeChat of a message of a service account. */
async function sent(
  opens: { url?: string; miniprogram?: typeof MINIPROGRAM },
  message: Parameters<typeof held>[0] = {},
): Promise<object> {
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
  const common = {
    id: 17,
    channel: 'official',
    permitId: null,
    formId: '',
    page: 'pages/sign-in/index',
  } as const
  await send(held({ ...common, ...message }))
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

  const BOTH = { url: 'https://example.com', miniprogram: MINIPROGRAM }
  const submitted = (page: string) => sent(BOTH, { kind: 'api', businessDate: null, notAfter: 1, page })

  test('that a backend submitted opens the page that it names, of the mini-program of the account', async () => {
    const body = await submitted('pages/parcel/index?id=8')
    expect(body).toMatchObject({
      miniprogram: { appid: MINIPROGRAM.appid, pagepath: 'pages/parcel/index?id=8' },
    })
    expect(body).not.toHaveProperty('url')
  })

  test('that a backend submitted opens the web address that it names, and without one what the account’s do', async () => {
    const body = await submitted('https://shop.example/parcels/8')
    expect(body).toMatchObject({ url: 'https://shop.example/parcels/8' })
    expect(body).not.toHaveProperty('miniprogram')
    expect(await submitted('')).toMatchObject(BOTH)
  })
})
