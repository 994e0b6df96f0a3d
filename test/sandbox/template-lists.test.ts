import { describe, expect, it, test } from 'vitest'
import { DAY } from '../../src/sandbox/clock.js'
import { setup } from './helpers.js'

const FORM_ID = '/cgi-bin/wxopen/template/list'
const SUBSCRIBE = '/wxaapi/newtmpl/gettemplate'
const OFFICIAL = '/cgi-bin/template/get_all_private_template'

const CONTENT = '所在位置:{{enum_string1.DATA}}\n完成时间:{{time2.DATA}}\n'
const MINI_PROGRAM = {
  appId: 'wx5a6d9e0c1b2f3a48',
  secret: '0123456789abcdef0123456789abcdef',
  channel: 'subscribe' as const,
  templates: {
    subscribe: {
      content: CONTENT,
      title: '提醒',
      example: 'e',
      enums: { enum_string1: ['客厅', '厨房'] },
      type: 3 as const,
    },
    plain: ['thing1', 'date2'],
    ...Object.fromEntries(
      Array.from({ length: 25 }, (_, n) => [`old-${n}`, { keys: ['keyword1'], channel: 'form_id' as const }]),
    ),
  },
}
const SERVICE_ACCOUNT = {
  appId: 'wxService',
  secret: 'f'.repeat(32),
  channel: 'official' as const,
  templates: { official: { keys: ['thing1'], title: '签到提醒' } },
}

async function listSetup(options: object = {}) {
  const world = await setup({ accounts: [MINI_PROGRAM, SERVICE_ACCOUNT], ...options })
  const mini = await world.newToken()
  const service = await world.newToken({ appid: SERVICE_ACCOUNT.appId, secret: SERVICE_ACCOUNT.secret })
  const get = async (path: string, token: string) =>
    JSON.parse((await world.call(`${path}?access_token=${token}`)).text)
  const list = async (body: object, token = mini) =>
    JSON.parse((await world.sendTo(FORM_ID, body, { token })).text)
  return { ...world, mini, service, get, list }
}

describe('the list of subscribe templates', () => {
  it('has their type, and the values of their enumerations', async () => {
    const { get, mini } = await listSetup()
    expect(await get(SUBSCRIBE, mini)).toEqual({
      errcode: 0,
      errmsg: 'ok',
      data: [
        {
          priTmplId: 'subscribe',
          title: '提醒',
          content: CONTENT,
          example: 'e',
          keywordEnumValueList: [{ enumValueList: ['客厅', '厨房'], keywordCode: 'enum_string1.DATA' }],
          type: 3,
        },
        {
          priTmplId: 'plain',
          title: 'plain',
          content: 'thing1:{{thing1.DATA}}\ndate2:{{date2.DATA}}\n',
          example: expect.any(String),
          type: 2,
        },
      ],
    })
  })

  it('is read with GET, and has nothing for a service account', async () => {
    const { sendTo, get, mini, service } = await listSetup()
    expect((await sendTo(SUBSCRIBE, {}, { token: mini })).json.errcode).toBe(404)
    expect(await get(SUBSCRIBE, service)).toMatchObject({ errcode: 0, data: [] })
    expect(await get(SUBSCRIBE, '')).toMatchObject({ errcode: 41001 })
  })

  it('has a small quota for each day', async () => {
    const { get, mini, control } = await listSetup()
    control.configure({ dailyQuotas: { [SUBSCRIBE]: 2 } })
    const codes = [await get(SUBSCRIBE, mini), await get(SUBSCRIBE, mini), await get(SUBSCRIBE, mini)]
    expect(codes.map(({ errcode }) => errcode)).toEqual([0, 0, 45009])
    control.advanceClock(DAY)
    expect(await get(SUBSCRIBE, mini)).toMatchObject({ errcode: 42001 })
  })
})

describe('the list of form_id templates', () => {
  it('comes in pages of at most 20', async () => {
    const { list } = await listSetup()
    const first = await list({ offset: 0, count: 20 })
    expect(first.list).toHaveLength(20)
    expect(first.list[0]).toEqual({
      template_id: 'old-0',
      title: 'old-0',
      content: 'keyword1:{{keyword1.DATA}}\n',
      example: expect.any(String),
    })
    expect((await list({ offset: 20, count: 20 })).list).toHaveLength(5)
  })

  it.each([{ offset: 0, count: 21 }, { offset: -1, count: 5 }, { offset: 0 }, { offset: '0', count: '5' }])(
    'is refused with 40097 for %o',
    async (body) => {
      const { list } = await listSetup()
      expect(await list(body)).toMatchObject({ errcode: 40097 })
    },
  )

  it('is gone with the interface, and was never there for a service account', async () => {
    const { list, service, control } = await listSetup()
    expect(await list({ offset: 0, count: 5 }, service)).toMatchObject({ errcode: 48001 })
    control.configure({ retired: true })
    expect(await list({ offset: 0, count: 5 })).toMatchObject({ errcode: 45103 })
  })
})

describe('the list of a service account’s templates', () => {
  it('comes without an errcode', async () => {
    const { get, service } = await listSetup()
    expect(await get(OFFICIAL, service)).toEqual({
      template_list: [
        {
          template_id: 'official',
          title: '签到提醒',
          primary_industry: '',
          deputy_industry: '',
          content: 'thing1:{{thing1.DATA}}\n',
          example: expect.any(String),
        },
      ],
    })
  })

  it('is not for mini-programs, and is read with GET', async () => {
    const { get, mini, sendTo, service } = await listSetup()
    expect(await get(OFFICIAL, mini)).toMatchObject({ errcode: 48001 })
    expect((await sendTo(OFFICIAL, {}, { token: service })).json.errcode).toBe(43001)
  })
})

test.each(['/wxaapi/newtmpl/gettemplate', '/cgi-bin/template/get_all_private_template'])(
  'an account that takes every template id has no list: %s',
  async (path) => {
    const { call, newToken } = await setup({
      accounts: [{ appId: MINI_PROGRAM.appId, secret: MINI_PROGRAM.secret }],
    })
    expect((await call(`${path}?access_token=${await newToken()}`)).json.errcode).toBe(48001)
  },
)
