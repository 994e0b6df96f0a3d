import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MiniApp, OfficialAccount, ServerRequest } from 'node-easywechat'
import { describe, expect, it, onTestFinished } from 'vitest'
import { APP_ID, APP_SECRET } from '../helpers/constants.js'
import { OPEN_ID, setup } from './helpers.js'

const SERVICE = {
  appId: 'wxService',
  secret: 'f'.repeat(32),
  channel: 'official' as const,
  templates: { o1: ['thing1'] },
}
const MINI = {
  appId: APP_ID,
  secret: APP_SECRET,
  channel: 'subscribe' as const,
  templates: {
    s1: { content: '事项:{{thing1.DATA}}\n', title: '提醒' },
    s2: { keys: ['thing1'], title: '积分' },
    f1: { keys: ['keyword1'], channel: 'form_id' as const },
  },
}
const DATA = { thing1: { value: '日领积分' } }
const TOKEN = 'TokenOfTheTests2026'
const AES_KEY = 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ'

/** Keeps tokens in memory; the client's own cache is a folder. */
function memory() {
  const values = new Map<string, unknown>()
  return {
    get: async (key: string) => values.get(key),
    has: async (key: string) => values.has(key),
    set: async (key: string, value: unknown) => values.set(key, value).has(key),
    delete: async (key: string) => values.delete(key),
  }
}

async function clientSetup() {
  const world = await setup({ accounts: [MINI, SERVICE] })
  const common = {
    token: TOKEN,
    aes_key: AES_KEY,
    use_stable_access_token: true,
    http: { baseURL: world.url, throw: false },
  }
  const mini = new MiniApp({ app_id: MINI.appId, secret: MINI.secret, ...common })
  const service = new OfficialAccount({ app_id: SERVICE.appId, secret: SERVICE.secret, ...common })
  mini.setCache(memory())
  service.setCache(memory())
  const post = async (app: MiniApp | OfficialAccount, path: string, body: object) =>
    (await app.getClient().postJson(path, body)).toObject()
  return { ...world, mini, service, post }
}

describe('node-easywechat', () => {
  it('uses one stable token for all its calls', async () => {
    const { mini, post, control } = await clientSetup()
    control.grantSubscription({ openId: OPEN_ID, templateId: 's1', count: 2 })
    const message = {
      touser: OPEN_ID,
      template_id: 's1',
      data: DATA,
      miniprogram_state: 'trial',
      lang: 'zh_CN',
    }
    const codes = []
    for (let n = 0; n < 3; n++)
      codes.push((await post(mini, '/cgi-bin/message/subscribe/send', message)).errcode)
    expect(codes).toEqual([0, 0, 43101])
    expect(control.stats().answers['/cgi-bin/stable_token']).toEqual({ 0: 1 })
  })

  it('sends messages of a service account; a client_msg_id keeps the second from going out', async () => {
    const { service, post, control } = await clientSetup()
    control.follow({ appId: SERVICE.appId, openId: OPEN_ID })
    const message = { touser: OPEN_ID, template_id: 'o1', data: DATA, client_msg_id: 'm-1' }
    const first = await post(service, '/cgi-bin/message/template/send', message)
    expect(await post(service, '/cgi-bin/message/template/send', message)).toEqual(first)
    expect(first).toMatchObject({ errcode: 0, errmsg: 'ok' })
    // The client reads numbers as doubles: of the msgid it has the first sixteen digits or so.
    const [delivery] = control.ledger()
    expect(String(first.msgid)).not.toBe(delivery?.msgid)
    expect(first.msgid).toBe(Number(delivery?.msgid))
  })

  it('lists the templates of all three', async () => {
    const { mini, service, post } = await clientSetup()
    const subscribe = await (await mini.getClient().get('/wxaapi/newtmpl/gettemplate')).toObject()
    expect(subscribe).toMatchObject({
      errcode: 0,
      data: [
        { priTmplId: 's1', title: '提醒', content: '事项:{{thing1.DATA}}\n', type: 2 },
        { priTmplId: 's2', title: '积分', type: 2 },
      ],
    })
    const old = await post(mini, '/cgi-bin/wxopen/template/list', { offset: 0, count: 20 })
    expect(old).toMatchObject({ list: [{ template_id: 'f1' }] })
    const response = await service.getClient().get('/cgi-bin/template/get_all_private_template')
    expect(response.isSuccessful()).toBe(true)
    expect(response.toObject()).toMatchObject({ template_list: [{ template_id: 'o1' }] })
  })

  it('reads a quota and clears it', async () => {
    const { mini, post } = await clientSetup()
    const path = '/cgi-bin/message/subscribe/send'
    await post(mini, path, {})
    const quota = () => post(mini, '/cgi-bin/openapi/quota/get', { cgi_path: path })
    expect(await quota()).toMatchObject({ quota: { daily_limit: 10_000_000, used: 1, remain: 9_999_999 } })
    expect(await post(mini, '/cgi-bin/clear_quota', { appid: APP_ID })).toMatchObject({ errcode: 0 })
    expect(await quota()).toMatchObject({ quota: { used: 0 } })
  })

  it('logs a person in, with any code on request', async () => {
    const { mini, control } = await clientSetup()
    const login = (code: string) => mini.getUtils().codeToSession(code)
    expect(await login(control.issueLoginCode({ openId: OPEN_ID }))).toMatchObject({ openid: OPEN_ID })
    await expect(login('a real code')).rejects.toThrow('40029')
    control.configure({ anyLoginCode: 'oDeveloper' })
    expect(await login('a real code')).toMatchObject({ openid: 'oDeveloper' })
  })
})

/** A callback served by the client, which takes down what its handlers are given. */
async function callback(app: MiniApp | OfficialAccount) {
  const events: Record<string, unknown>[] = []
  const server = createServer(async (request, response) => {
    app.setRequest(await ServerRequest.createFromIncomingMessage(request))
    const handler = app.getServer()
    handler.with(async (message, next) => {
      events.push(JSON.parse(message.toJson()))
      return next?.(message)
    })
    const answer = await handler.serve()
    response.writeHead(answer.getStatusCode()).end(answer.getBody())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, events }
}

describe('an event that the sandbox pushes', () => {
  it.each([
    ['plain', 'xml'],
    ['plain', 'json'],
    ['compatible', 'xml'],
    ['safe', 'xml'],
  ] as const)('in %s mode as %s is read by node-easywechat', async (mode, format) => {
    const { mini, control } = await clientSetup()
    const { url, events } = await callback(mini)
    control.configureCallback({ url, token: TOKEN, encodingAesKey: AES_KEY, mode, format, auto: false })
    control.tap({ openId: OPEN_ID, answers: { s1: 'accept', s2: 'reject' } })
    await control.sendPushes()
    expect(control.pushes()).toMatchObject([{ state: 'answered' }])
    const list = [
      { TemplateId: 's1', SubscribeStatusString: 'accept', PopupScene: '0' },
      { TemplateId: 's2', SubscribeStatusString: 'reject', PopupScene: '0' },
    ]
    expect(events).toMatchObject([
      {
        FromUserName: OPEN_ID,
        Event: 'subscribe_msg_popup_event',
        ...(format === 'json' ? { List: list } : { SubscribeMsgPopupEvent: { List: list } }),
      },
    ])
  })

  it('of a message of a service account is read by it too', async () => {
    const { service, control, post } = await clientSetup()
    const { url, events } = await callback(service)
    const appId = SERVICE.appId
    control.follow({ appId, openId: OPEN_ID })
    control.configureCallback({
      appId,
      url,
      token: TOKEN,
      encodingAesKey: AES_KEY,
      mode: 'safe',
      format: 'xml',
      auto: false,
    })
    await post(service, '/cgi-bin/message/template/send', { touser: OPEN_ID, template_id: 'o1', data: DATA })
    await control.sendPushes()
    expect(events).toMatchObject([
      { Event: 'TEMPLATESENDJOBFINISH', MsgID: control.ledger()[0]?.msgid, Status: 'success' },
    ])
  })
})
