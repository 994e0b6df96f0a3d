import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Environment, readAccount, readConfig, readSettings } from '../../src/config/read.js'
import { ConfigError } from '../../src/errors.js'
import { APP_ID } from '../helpers/constants.js'

const COMPLETE = {
  WX_APP_ID: APP_ID,
  WX_APP_SECRET: 'a-secret-of-32-characters-or-so',
  REMINDER_TEMPLATE_ID: 'template-1',
  REMINDER_DATA: '{"keyword1":"已经连续答题{streak}天"}',
}

function faultsOf(env: Environment, purpose: Parameters<typeof readSettings>[1] = 'nothing'): string[] {
  try {
    readSettings(env, purpose)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

describe('without a value', () => {
  test('settings have the documented defaults', () => {
    expect(readConfig({})).toEqual({
      databaseUrl: 'sqlite:./data/reminder.db',
      host: '127.0.0.1',
      port: 3000,
      logLevel: 'info',
      wechatBaseUrl: 'https://api.weixin.qq.com',
      redisUrl: undefined,
      retentionDays: 90,
      apiKeys: [],
      sessionSecrets: [],
      tokenKeys: [],
      rateLimits: { session: 60, key: Number.POSITIVE_INFINITY, ip: 300, refused: 60 },
      trustProxy: ['loopback'],
      apiDocs: true,
    })
  })

  test('an account has the documented defaults', () => {
    expect(readAccount({ WX_APP_ID: 'wx1' })).toEqual({
      appId: 'wx1',
      appSecret: '',
      channel: 'form_id',
      tokenMode: 'stable',
      userIds: 'backend',
      callback: { token: '', encodingAesKey: '', url: '' },
      templateId: '',
      page: '',
      data: {},
      url: '',
      miniprogram: undefined,
      miniprogramState: 'formal',
      lang: 'zh_CN',
      templates: [],
      webhook: undefined,
      sendConcurrency: 64,
      sendRate: undefined,
      timezone: 'Asia/Shanghai',
      remindCron: '0 10 * * *',
      expireCron: '*/20 * * * *',
      sendUntil: { hour: 22, minute: 0 },
    })
  })

  test('an empty variable counts as one that is not set', () => {
    const names = [
      'DATABASE_URL HOST PORT LOG_LEVEL WX_API_BASE_URL SEND_CONCURRENCY SEND_RATE REDIS_URL API_KEYS WX_APP_SECRET',
      'SESSION_SECRET TOKEN_KEY RATE_LIMITS TRUST_PROXY API_DOCS',
      'WX_CHANNEL WX_TOKEN_MODE USER_IDS REMINDER_TEMPLATE_ID REMINDER_PAGE REMINDER_DATA TIMEZONE REMIND_CRON',
      'EXPIRE_CRON SEND_UNTIL REMINDER_URL REMINDER_MINIPROGRAM MINIPROGRAM_STATE MESSAGE_LANG TEMPLATES WEBHOOK_URL',
      'WEBHOOK_SECRET',
    ].flatMap((line) => line.split(' '))
    const empty = Object.fromEntries(names.map((name) => [name, '']))
    expect(readConfig(empty)).toEqual(readConfig({}))
    expect(readAccount({ ...empty, WX_APP_ID: 'wx1' })).toEqual(readAccount({ WX_APP_ID: 'wx1' }))
    expect(faultsOf({ ...empty, WX_APP_ID: '' })).toEqual(['WX_APP_ID: is not set'])
  })
})

test('every variable is read', () => {
  const config = readConfig({
    DATABASE_URL: 'mysql://user:p%23ss@db.example:3307/reminder',
    HOST: '0.0.0.0',
    PORT: '0',
    LOG_LEVEL: 'debug',
    WX_API_BASE_URL: 'http://127.0.0.1:3100/base',
    REDIS_URL: 'rediss://:p%23ss@redis.example:6380/2',
    RETENTION_DAYS: '30',
    API_KEYS: ' shop : key-of-the-shop-1 ,,app:key:of:the:app:2',
    SESSION_SECRET: `${'newest-'.repeat(7)}, ${'older-'.repeat(7)}`,
    TOKEN_KEY: `${'newer-'.repeat(7)},${'elder-'.repeat(7)}`,
    RATE_LIMITS: 'session:30, key:6000,ip:unlimited,refused:5',
    TRUST_PROXY: '10.0.0.0/8, ::1,uniquelocal',
    API_DOCS: 'off',
  })
  expect(config).toEqual({
    databaseUrl: 'mysql://user:p%23ss@db.example:3307/reminder',
    host: '0.0.0.0',
    port: 0,
    logLevel: 'debug',
    wechatBaseUrl: 'http://127.0.0.1:3100/base',
    redisUrl: 'rediss://:p%23ss@redis.example:6380/2',
    retentionDays: 30,
    apiKeys: [
      { name: 'shop', key: 'key-of-the-shop-1' },
      { name: 'app', key: 'key:of:the:app:2' },
    ],
    sessionSecrets: ['newest-'.repeat(7), 'older-'.repeat(7)],
    tokenKeys: ['newer-'.repeat(7), 'elder-'.repeat(7)],
    rateLimits: { session: 30, key: 6000, ip: Number.POSITIVE_INFINITY, refused: 5 },
    trustProxy: ['10.0.0.0/8', '::1', 'uniquelocal'],
    apiDocs: false,
  })
  const account = readAccount({
    ...COMPLETE,
    WX_CHANNEL: 'form_id',
    WX_TOKEN_MODE: 'classic',
    USER_IDS: 'auto',
    WX_CALLBACK_TOKEN: 'TokenOfTheTests2026',
    WX_ENCODING_AES_KEY: '2isAjIhKtJ0RlgLKOmxgJTeKdNnFRIBXuDL7DxtpYlS',
    WX_CALLBACK_URL: 'https://shop.example/wechat/callback',
    REMINDER_PAGE: 'pages/index?from=reminder',
    TIMEZONE: 'Europe/Berlin',
    REMIND_CRON: '30 7,19 * * 1-5',
    EXPIRE_CRON: '5 * * * *',
    SEND_UNTIL: '23:59',
    MINIPROGRAM_STATE: 'trial',
    MESSAGE_LANG: 'en_US',
    TEMPLATES: 'template-2, template-3',
    WEBHOOK_URL: 'https://shop.example/messages',
    WEBHOOK_SECRET: 'webhook-'.repeat(5),
    SEND_CONCURRENCY: '1024',
    SEND_RATE: '0.5',
  })
  expect(account).toEqual({
    appId: COMPLETE.WX_APP_ID,
    appSecret: COMPLETE.WX_APP_SECRET,
    channel: 'form_id',
    tokenMode: 'classic',
    userIds: 'auto',
    callback: {
      token: 'TokenOfTheTests2026',
      encodingAesKey: '2isAjIhKtJ0RlgLKOmxgJTeKdNnFRIBXuDL7DxtpYlS',
      url: 'https://shop.example/wechat/callback',
    },
    templateId: 'template-1',
    page: 'pages/index?from=reminder',
    data: { keyword1: '已经连续答题{streak}天' },
    url: '',
    miniprogram: undefined,
    miniprogramState: 'trial',
    lang: 'en_US',
    templates: ['template-2', 'template-3'],
    webhook: { url: 'https://shop.example/messages', secrets: ['webhook-'.repeat(5)] },
    sendConcurrency: 1024,
    sendRate: 0.5,
    timezone: 'Europe/Berlin',
    remindCron: '30 7,19 * * 1-5',
    expireCron: '5 * * * *',
    sendUntil: { hour: 23, minute: 59 },
  })
})

test('a service account opens a web page or a mini-program', () => {
  const { url, miniprogram } = readAccount({
    ...COMPLETE,
    WX_CHANNEL: 'official',
    REMINDER_URL: 'https://shop.example/sign-in',
    REMINDER_MINIPROGRAM: '{"appid":"wx2","pagepath":"pages/index"}',
  })
  expect(url).toBe('https://shop.example/sign-in')
  expect(miniprogram).toEqual({ appid: 'wx2', pagepath: 'pages/index' })
})

describe('what a tap could not open on the channel is refused, with what to set instead', () => {
  const faultsOn = (WX_CHANNEL: string, more: Record<string, string>) =>
    faultsOf({ ...COMPLETE, WX_CHANNEL, ...more })

  test('a page of a service account', () => {
    const [fault, ...others] = faultsOn('official', { REMINDER_PAGE: 'pages/index' })
    expect(others).toEqual([])
    expect(fault).toMatch(/^REMINDER_PAGE: .*REMINDER_MINIPROGRAM.*"pagepath":"pages\/index".*REMINDER_URL/)
  })

  test.each(['form_id', 'subscribe'])('a web page or another mini-program on %s', (channel) => {
    const REMINDER_URL = 'https://shop.example/'
    const REMINDER_MINIPROGRAM = '{"appid":"wx2"}'
    expect(faultsOn(channel, { REMINDER_URL, REMINDER_MINIPROGRAM })).toEqual([
      expect.stringMatching(/^REMINDER_URL: .*REMINDER_PAGE/),
      expect.stringMatching(/^REMINDER_MINIPROGRAM: .*REMINDER_PAGE/),
    ])
    expect(faultsOn(channel, { REMINDER_PAGE: 'https://shop.example/' })).toEqual([
      expect.stringMatching(/^REMINDER_PAGE: is a web address/),
    ])
    expect(faultsOn(channel, { REMINDER_PAGE: 'pages/index?to=https://shop.example/' })).toEqual([])
  })
})

test('a limit that is not named keeps its default, and no proxy may be believed', () => {
  const { rateLimits, trustProxy } = readConfig({ RATE_LIMITS: 'key:600', TRUST_PROXY: 'none' })
  expect(rateLimits).toEqual({ session: 60, key: 600, ip: 300, refused: 60 })
  expect(trustProxy).toEqual([])
})

test.each(['unlimited', 'Infinity', undefined, ''])('a rate of %s is no limit', (SEND_RATE) => {
  expect(readAccount({ WX_APP_ID: 'wx1', SEND_RATE }).sendRate).toBeUndefined()
})

const BAD: Record<string, string[]> = {
  DATABASE_URL: [
    'reminder.db',
    'sqlite:',
    'postgres://user:pw@db/reminder',
    'mysql://',
    'mysql://user:pw@db',
    'mysql://user:pw@db/',
    'mysql://user:p#w@db/reminder',
    'mysql://user:p%zz@db/reminder',
    'mysql://user:pw@db:99999/reminder',
  ],
  HOST: ['two words', 'http://127.0.0.1', '-'],
  PORT: ['http', '-1', '65536', '3000.5', ' ', '0x10', '1e3', '99999999999'],
  LOG_LEVEL: ['verbose', 'INFO', ' '],
  WX_API_BASE_URL: [
    'api.weixin.qq.com',
    'ftp://api.weixin.qq.com',
    'http://api.weixin.qq.com',
    'http://10.0.0.7:3100',
    'https://',
    '/path',
  ],
  SEND_CONCURRENCY: ['0', '1025', '-1', 'many', '1.5', ' '],
  SEND_RATE: ['0', '-1', 'fast', 'NaN', ' '],
  REDIS_URL: [
    'localhost:6379',
    'http://localhost:6379',
    'redis://',
    'redis://redis.example:99999',
    'redis://redis.example/name',
    'redis://redis.example/0?tls=true',
    'redis://:p#w@redis.example',
    'redis://:p%zz@redis.example',
  ],
  SESSION_SECRET: [
    'short',
    'a-secret-of-31-characters-or-so',
    's'.repeat(64),
    `${'newest-'.repeat(7)},`,
    `${'newest-'.repeat(7)},short`,
  ],
  TOKEN_KEY: ['short', 's'.repeat(64), `${'newer-'.repeat(7)},`],
  RATE_LIMITS: [
    '60',
    'session',
    'session:',
    'session:0',
    'session:-1',
    'session:1.5',
    'user:60',
    'ip:60,',
    'ip:60;key:1',
  ],
  TRUST_PROXY: ['proxy.example', '10.0.0.0/33', '10.0.0/8', 'loopback,', 'true', '::1/129', ' '],
  API_DOCS: ['yes', 'false'],
  API_KEYS: [
    'key-without-name',
    ':key',
    'name:',
    'a:k1,b',
    'shop:two words',
    'shop:schlüssel-des-ladens',
    'b:1',
    'b:fifteen-letters',
    `b:${'ab'.repeat(20)}`,
    `${'n'.repeat(65)}:key-of-the-shop-4f81c2`,
  ],
  ADMIN_PASSWORD: ['elevenchars', 'a'.repeat(20), 'scrypt$16384$8$1$salt$hash'],
  WX_APP_ID: ['two words', '微信', 'w'.repeat(65)],
  WX_CHANNEL: ['email', 'FORM_ID'],
  WX_TOKEN_MODE: ['stabel'],
  USER_IDS: ['own', 'AUTO'],
  WX_CALLBACK_TOKEN: [
    'ab',
    'fifteenLetters1',
    'a'.repeat(20),
    'anotherToken'.repeat(3),
    'two words',
    'mit-strich',
  ],
  WX_ENCODING_AES_KEY: ['a'.repeat(42), 'a'.repeat(44), `${'a'.repeat(42)}=`, 'a'.repeat(43)],
  WX_CALLBACK_URL: ['shop.example/wechat/callback', 'https://'],
  REMINDER_TEMPLATE_ID: ['t'.repeat(65), '模板'],
  REMINDER_DATA: [
    'keyword1',
    '[]',
    '"x"',
    'null',
    '3',
    '{}',
    '{"keyword1":""}',
    '{"keyword1":1}',
    '{"keyword1":{"value":"x"}}',
    '{"keyword1":"{strek}"}',
    '{"keyword1":"{constructor}"}',
    '{"thing1":[{"min_streak":2,"text":"已连续签到{streak}天"}]}',
    '{"phrase1":"第{streak}天"}',
  ],
  REMINDER_URL: ['shop.example', 'ftp://shop.example'],
  REMINDER_MINIPROGRAM: [
    'wx2',
    'null',
    '[]',
    '{}',
    '{"appid":2}',
    '{"appid":"wx2","page":"x"}',
    '{"appid":"wx2","pagepath":1}',
  ],
  MINIPROGRAM_STATE: ['release', 'FORMAL'],
  MESSAGE_LANG: ['zh', 'zh-CN'],
  TEMPLATES: ['模板', 'a,,b', 'two words', 't'.repeat(65)],
  TIMEZONE: ['Mars/Olympus', 'Asia/Shanghai2', 'UTC+8', ' '],
  REMIND_CRON: ['daily', '0 10 * *', '0 0 10 * * *', '61 10 * * *', '0 25 * * *', '@daily'],
  EXPIRE_CRON: ['*/20', '*/x * * * *'],
  SEND_UNTIL: ['22', '24:00', '9:00', '22:60', '22:00:00', '10pm'],
}

describe.each(Object.entries(BAD))('a bad %s', (name, values) => {
  test.each(values)('is refused and named: "%s"', (value) => {
    const faults = faultsOf({ ...COMPLETE, [name]: value })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(new RegExp(`^${name}: .{8,}`))
  })
})

describe('faults are told', () => {
  test('all at once, those of the settings, of the account and of what is missing', () => {
    const bad = Object.fromEntries(Object.entries(BAD).map(([name, [value]]) => [name, value]))
    const faults = faultsOf({ ...bad, WX_APP_SECRET: '' }, 'reminders')
    const names = faults.map((fault) => fault.slice(0, fault.indexOf(':')))
    expect(names.sort()).toEqual([...Object.keys(BAD), 'WX_APP_SECRET'].sort())
  })

  test('faults are told as one message with a line for each', () => {
    const fails = () => readSettings({ PORT: 'x' }, 'reminders')
    expect(fails).toThrow(
      [
        'The configuration has faults:',
        '  - PORT: "x" is not a port from 0 to 65535',
        '  - WX_APP_ID: is not set',
        '  - WX_APP_SECRET: is not set',
        '  - REMINDER_TEMPLATE_ID: is not set',
        '  - REMINDER_DATA: is not set',
      ].join('\n'),
    )
  })

  test('only for what a command needs', () => {
    const { WX_APP_ID } = COMPLETE
    expect(faultsOf({ WX_APP_ID }, 'nothing')).toEqual([])
    expect(faultsOf({ WX_APP_ID }, 'any message')).toEqual(['WX_APP_SECRET: is not set'])
    expect(faultsOf({ WX_APP_ID, WX_APP_SECRET: 's' }, 'any message')).toEqual([])
    expect(faultsOf(COMPLETE, 'reminders')).toEqual([])
  })

  test('faults are told without the value of a secret, a key or a password', () => {
    const sign = fc.constantFrom(...'0123456789abcXYZ-_!$%&')
    const secret = fc.string({ unit: sign, minLength: 12, maxLength: 40 })
    fc.assert(
      fc.property(secret, fc.constantFrom(' ', '#', '"', 'ü', '%'), (text, odd) => {
        const value = `${text.slice(0, 6)}${odd}${text.slice(6)}`
        const env = {
          WX_APP_SECRET: value,
          API_KEYS: `shop:${value},${value}`,
          SESSION_SECRET: `${value},short`,
          DATABASE_URL: `mysql://user:${value}@db`,
          REDIS_URL: `redis://:${value}@redis/name`,
          PORT: 'x',
        }
        const message = faultsOf(env, 'reminders').join('\n')
        expect(message).toContain('PORT')
        for (const part of [text.slice(0, 6), text.slice(6)]) expect(message).not.toContain(part)
      }),
    )
  })
})

describe('a daily run that would start after its sending window', () => {
  test.each([
    ['0 22 * * *', '22:00'],
    ['0 23 * * *', ''],
    ['30 22,23 * * 1-5', '22:15'],
    ['*/10 22 1 * *', '22:00'],
    ['0 0 * * *', '00:00'],
  ])('is a fault that names both settings: %s until %s', (cron, until) => {
    const faults = faultsOf({ ...COMPLETE, REMIND_CRON: cron, SEND_UNTIL: until })
    expect(faults).toEqual([expect.stringMatching(/^REMIND_CRON: .*SEND_UNTIL/)])
    expect(faults[0]).toContain(until || '22:00')
  })

  test.each([
    ['59 21 * * *', '22:00'],
    ['0 9,23 * * *', '22:00'],
    ['30 21,22 * * *', '22:00'],
    ['0 0 * * *', '00:01'],
  ])('is none if one firing of the day is before it: %s until %s', (cron, until) => {
    expect(faultsOf({ ...COMPLETE, REMIND_CRON: cron, SEND_UNTIL: until })).toEqual([])
  })

  test('a daily run that would start after its sending window is told along with the other faults', () => {
    const faults = faultsOf({ ...COMPLETE, REMIND_CRON: '0 23 * * *', PORT: 'x' })
    expect(faults).toHaveLength(2)
  })
})
