import { describe, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { examinePage, examineTemplate } from '../../src/preflight/examine.js'
import type { Template } from '../../src/wechat/templates.js'

const account = (env: Record<string, string> = {}) =>
  readAccount({
    WX_APP_ID: 'wx1',
    WX_CHANNEL: 'subscribe',
    REMINDER_TEMPLATE_ID: 'T1',
    REMINDER_DATA: '{"thing1":"签到","phrase2":"未签到"}',
    ...env,
  })

const template = (changes: Partial<Template> = {}): Template => ({
  id: 'T1',
  title: '签到提醒',
  keys: ['thing1', 'phrase2'],
  type: 2,
  enums: {},
  ...changes,
})

const failures = (...args: Parameters<typeof examineTemplate>) =>
  examineTemplate(...args).filter(({ status }) => status === 'fail')

describe('the reminder compared with the templates of the account', () => {
  test('fits where id, keys and type are right', () => {
    expect(examineTemplate(account(), [template()]).map(({ name, status }) => [name, status])).toEqual([
      ['template', 'ok'],
      ['template_keys', 'ok'],
      ['template_type', 'ok'],
    ])
  })

  test('an id that is not in the list is one of another account, and what the account has is named', () => {
    const [finding] = failures(account({ REMINDER_TEMPLATE_ID: 'T9' }), [template()])
    expect(finding).toMatchObject({
      finding: 'template_not_of_account',
      reason: 'Account wx1 has no template T9. It has 签到提醒 (T1).',
      fix: expect.stringContaining('REMINDER_TEMPLATE_ID'),
      fix_zh: expect.stringContaining('REMINDER_TEMPLATE_ID'),
    })
    expect(failures(account(), [])).toMatchObject([{ reason: expect.stringContaining('It has none.') }])
  })

  test('an id of the other kind of message is told from that', () => {
    const [finding] = failures(
      account({ REMINDER_TEMPLATE_ID: 'OLD' }),
      [template()],
      [template({ id: 'OLD' })],
    )
    expect(finding).toMatchObject({ finding: 'template_of_other_product', status: 'fail' })
  })

  test('missing and surplus keys are named, in both languages', () => {
    const [finding] = failures(account(), [template({ keys: ['thing1', 'date3'] })])
    expect(finding).toMatchObject({
      finding: 'data_keys_differ',
      reason: 'REMINDER_DATA lacks date3. The template has no phrase2. Its keys are thing1, date3.',
      reason_zh: 'REMINDER_DATA 缺少 date3。模板没有 phrase2。模板的字段：thing1、date3。',
    })
  })

  test('a template for long-term subscriptions is none that permits are counted for', () => {
    expect(failures(account(), [template({ type: 3 })])).toMatchObject([
      { finding: 'template_of_other_type' },
    ])
    expect(failures(account({ WX_CHANNEL: 'form_id' }), [template({ type: 3 })])).toEqual([])
    expect(failures(account(), [template({ type: null })])).toEqual([])
  })

  test('a text for an enumeration is one of its values', () => {
    const enums = { phrase2: ['已签到', '未签到'] }
    expect(failures(account(), [template({ enums })])).toEqual([])
    expect(failures(account(), [template({ enums: { phrase2: ['已签到'] } })])).toMatchObject([
      { finding: 'data_not_in_enum', reason: '"未签到" is no value of phrase2. It may be 已签到.' },
    ])
  })

  test('a service account may do without the keys that WeChat shows no longer, and without no other', () => {
    const official = account({ WX_CHANNEL: 'official' })
    const keys = ['first', 'thing1', 'phrase2', 'remark']
    expect(failures(official, [template({ keys, type: null })])).toEqual([])
    expect(failures(official, [template({ keys: [...keys, 'time3'] })])).toMatchObject([
      { reason: expect.stringContaining('lacks time3.') },
    ])
    expect(failures(account(), [template({ keys })])).toHaveLength(1)
  })
})

describe('what a tap opens', () => {
  test.each([
    [{ WX_CHANNEL: 'form_id' }, 'warn'],
    [{ WX_CHANNEL: 'subscribe', REMINDER_PAGE: 'pages/index' }, 'ok'],
    [{ WX_CHANNEL: 'official' }, 'warn'],
    [{ WX_CHANNEL: 'official', REMINDER_MINIPROGRAM: '{"appid":"wx2"}' }, 'ok'],
    [{ WX_CHANNEL: 'official', REMINDER_URL: 'https://example.com/' }, 'ok'],
    [{ WX_CHANNEL: 'official', REMINDER_MINIPROGRAM: '{"appid":"wx2","pagepath":"pages/index"}' }, 'ok'],
  ])('with %o: %s', (env, status) => {
    expect(examinePage(account(env as Record<string, string>)).status).toBe(status)
  })
})
