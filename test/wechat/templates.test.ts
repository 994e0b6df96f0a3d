import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuxiliary } from '../../src/wechat/auxiliary.js'
import { createWechatClient } from '../../src/wechat/client.js'
import { createWechatHttp } from '../../src/wechat/http.js'
import { askQuota } from '../../src/wechat/quota.js'
import { keysOf, listTemplates } from '../../src/wechat/templates.js'
import { type Behaviour, hang, json, startWechatStub, type WechatStub } from '../helpers/wechat.js'

let stub: WechatStub
beforeAll(async () => {
  stub = await startWechatStub()
})
afterAll(() => stub.close())

const never = new AbortController().signal

/** Answers as WeChat's pages show them. */
async function ask<T>(
  behaviours: Behaviour[],
  work: (auxiliary: ReturnType<typeof createAuxiliary>) => Promise<T>,
): Promise<T> {
  const http = createWechatHttp({ baseUrl: stub.url, connections: 1 })
  const tokens = { get: async () => 'TOKEN', replace: async () => 'TOKEN' }
  stub.next(...behaviours)
  try {
    return await work(createAuxiliary(createWechatClient({ http, tokens }), 200))
  } finally {
    await http.close()
  }
}

test('keys are read from a content with blanks and breaks, each once', () => {
  expect(keysOf('会议时间:{{date2.DATA}}\n地点:{{ thing1 . DATA }}\n{{date2.data}}{{ }}{{x}}')).toEqual([
    'date2',
    'thing1',
  ])
})

describe('the list of templates', () => {
  const old = (id: number) => ({
    template_id: `T${id}`,
    title: '提醒',
    content: '购买地点{{keyword1.DATA}}\n',
    example: '',
  })

  test('of form_id comes in pages of twenty, until one is not full', async () => {
    const pages = [
      json({ errcode: 0, list: Array.from({ length: 20 }, (_, i) => old(i)) }),
      json({ errcode: 0, list: [old(20)] }),
    ]
    const before = stub.asked.length
    const list = await ask(pages, (auxiliary) => listTemplates(auxiliary, 'form_id', never))
    expect(list).toMatchObject({ kind: 'listed', templates: { length: 21 } })
    expect(stub.asked.slice(before).map(({ method, path, json: body }) => [method, path, body])).toEqual([
      ['POST', '/cgi-bin/wxopen/template/list', { offset: 0, count: 20 }],
      ['POST', '/cgi-bin/wxopen/template/list', { offset: 20, count: 20 }],
    ])
  })

  test('of subscribe has types and enumerations', async () => {
    const answer = json({
      errcode: 0,
      errmsg: 'ok',
      data: [
        {
          priTmplId: 'P1',
          title: '报名结果通知',
          content: '会议时间:{{date2.DATA}}\n状态:{{phrase3.DATA}}\n',
          example: '',
          type: 2,
          keywordEnumValueList: [{ keywordCode: 'phrase3.DATA', enumValueList: ['成功', '失败'] }],
        },
        { priTmplId: 17, title: 'no id' },
      ],
    })
    expect(await ask([answer], (auxiliary) => listTemplates(auxiliary, 'subscribe', never))).toEqual({
      kind: 'listed',
      templates: [
        {
          id: 'P1',
          title: '报名结果通知',
          keys: ['date2', 'phrase3'],
          type: 2,
          enums: { phrase3: ['成功', '失败'] },
        },
      ],
    })
    expect(stub.asked.at(-1)).toMatchObject({ method: 'GET', path: '/wxaapi/newtmpl/gettemplate', body: '' })
  })

  test('of a service account has no errcode', async () => {
    const answer = json({
      template_list: [{ template_id: 'O1', title: '订单', content: '{{first.DATA}}{{time1.DATA}}' }],
    })
    expect(await ask([answer], (auxiliary) => listTemplates(auxiliary, 'official', never))).toEqual({
      kind: 'listed',
      templates: [{ id: 'O1', title: '订单', keys: ['first', 'time1'], type: null, enums: {} }],
    })
    expect(stub.asked.at(-1)).toMatchObject({
      method: 'GET',
      path: '/cgi-bin/template/get_all_private_template',
    })
  })

  test.each([
    ['a refusal', json({ errcode: 200100, errmsg: 'no' }), '200100 wrong_account_type'],
    ['no answer', hang, 'ambiguous: headers_timeout'],
    ['an answer without a list', json({ errcode: 0 }), 'no "data" in the answer'],
    ['a list that is none', json({ errcode: 0, data: 'x' }), 'no "data" in the answer'],
    ['a gateway', json({}, 502), 'ambiguous: http_502'],
  ])('is not had from %s', async (_, behaviour, why) => {
    expect(await ask([behaviour], (auxiliary) => listTemplates(auxiliary, 'subscribe', never))).toEqual({
      kind: 'not_had',
      why,
    })
  })

  test('waits no longer for a token that never comes than for an answer', async () => {
    const tokens = { get: () => new Promise<string>(() => {}), replace: async () => '' }
    const http = createWechatHttp({ baseUrl: stub.url, connections: 1 })
    const auxiliary = createAuxiliary(createWechatClient({ http, tokens }), 50)
    expect(await listTemplates(auxiliary, 'official', never)).toMatchObject({ kind: 'not_had' })
    await http.close()
  })
})

describe('the quota of a path', () => {
  test('is asked by the path alone', async () => {
    const answer = json({ errcode: 0, quota: { daily_limit: 10, used: 3, remain: 7 } })
    expect(
      await ask([answer], (auxiliary) => askQuota(auxiliary, '/cgi-bin/message/template/send', never)),
    ).toEqual({
      kind: 'told',
      quota: { daily_limit: 10, used: 3, remain: 7 },
    })
    expect(stub.asked.at(-1)).toMatchObject({
      path: '/cgi-bin/openapi/quota/get',
      json: { cgi_path: '/cgi-bin/message/template/send' },
    })
  })

  test.each([
    [json({ errcode: 76021, errmsg: 'cgi_path not found' }), '76021 cgi_path_not_found'],
    [json({ errcode: 0, quota: { daily_limit: 'ten' } }), 'no "quota" in the answer'],
    [json({ errcode: 0, quota: { daily_limit: -1, used: 3, remain: -4 } }), 'no "quota" in the answer'],
    [json({ errcode: 0, quota: { daily_limit: 0, used: 0, remain: 0 } }), 'no daily limit in the answer'],
  ])('is not had from %o', async (behaviour, why) => {
    expect(await ask([behaviour], (auxiliary) => askQuota(auxiliary, '/x', never))).toEqual({
      kind: 'not_had',
      why,
    })
  })
})
