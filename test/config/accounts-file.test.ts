import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { findAccount } from '../../src/cli/account.js'
import { type Environment, readAccount, readSettings, type Settings } from '../../src/config/read.js'
import { ConfigError } from '../../src/errors.js'
import { SCOPES } from '../../src/http/api-keys.js'

const folder = mkdtempSync(join(tmpdir(), 'accounts-file-'))
afterAll(() => rmSync(folder, { recursive: true }))

const SECRET = 'b1946ac92492d2347c6235b4d2611184'
const AES_KEY = '2isAjIhKtJ0RlgLKOmxgJTeKdNnFRIBXuDL7DxtpYlS'
const ONE = { app_id: 'wx1', app_secret: SECRET }
const TWO = { app_id: 'wx2', app_secret: SECRET.toUpperCase() }
const hash = (key: string) => `sha256:${createHash('sha256').update(key).digest('hex')}`
const KEY = { name: 'shop', hash: hash('the-key-of-the-shop'), accounts: ['wx1'], scopes: ['upload', 'read'] }

/** As a secret refers to a variable. */
const variable = (name: string) => `\${${name}}`

let files = 0
function write(content: unknown, name = `accounts-${files++}.json`): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 })
  return path
}

const read = (content: unknown, env: Environment = {}): Settings =>
  readSettings({ ACCOUNTS_FILE: write(content), ...env }, 'any message')
const onlyOf = ({ accounts }: Settings) => findAccount(accounts, undefined)

function faultsOf(content: unknown, env: Environment = {}): string[] {
  try {
    read(content, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

describe('accounts of a file', () => {
  test('are read with the defaults of the environment', () => {
    const { accounts } = read({ $schema: './accounts.schema.json', accounts: [ONE, TWO] })
    expect(accounts).toEqual([
      readAccount({ WX_APP_ID: 'wx1', WX_APP_SECRET: SECRET }),
      readAccount({ WX_APP_ID: 'wx2', WX_APP_SECRET: SECRET.toUpperCase() }),
    ])
  })

  test('have every setting of an account', () => {
    const account = onlyOf(
      read({
        accounts: [
          {
            ...ONE,
            channel: 'official',
            token_mode: 'classic',
            user_ids: 'auto',
            timezone: 'Europe/Berlin',
            send_until: '23:59',
            send_concurrency: 1024,
            send_rate: 0.5,
            expire_cron: '5 * * * *',
            callback: {
              token: 'TokenOfTheTests2026',
              encoding_aes_key: AES_KEY,
              url: 'https://shop.example/wechat/callback',
            },
            reminder: {
              cron: '30 7,19 * * 1-5',
              template_id: 'template-1',
              data: { keyword1: '已经连续答题{streak}天' },
              url: 'https://shop.example/sign-in',
              miniprogram: { appid: 'wx2', pagepath: 'pages/index' },
            },
            templates: ['template-2', 'template-3'],
            miniprogram_state: 'trial',
            lang: 'en_US',
            webhook: { url: 'https://shop.example/messages', secret: 'webhook-'.repeat(5) },
          },
        ],
      }),
    )
    expect(account).toEqual({
      appId: 'wx1',
      appSecret: SECRET,
      channel: 'official',
      tokenMode: 'classic',
      userIds: 'auto',
      callback: {
        token: 'TokenOfTheTests2026',
        encodingAesKey: AES_KEY,
        url: 'https://shop.example/wechat/callback',
      },
      templateId: 'template-1',
      page: '',
      data: { keyword1: '已经连续答题{streak}天' },
      url: 'https://shop.example/sign-in',
      miniprogram: { appid: 'wx2', pagepath: 'pages/index' },
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

  test('have a page that opens in their mini-program', () => {
    const reminder = { page: 'pages/index?from=reminder' }
    expect(onlyOf(read({ accounts: [{ ...ONE, reminder }] })).page).toBe('pages/index?from=reminder')
  })

  test('may be written on Windows: with a byte order mark and CRLF', () => {
    const text = `\ufeff${JSON.stringify({ accounts: [ONE] }, null, 2).replaceAll('\n', '\r\n')}\r\n`
    expect(onlyOf(read(text)).appId).toBe('wx1')
  })

  test('are a thousand', () => {
    const accounts = Array.from({ length: 1_000 }, (_, i) => ({ ...ONE, app_id: `wx${i}` }))
    expect(read({ accounts }).accounts.map(({ appId }) => appId)).toEqual(
      accounts.map(({ app_id }) => app_id),
    )
  })

  test('are one by one what a command works with, and it has to name one of several', () => {
    expect(onlyOf(read({ accounts: [ONE] })).appId).toBe('wx1')
    expect(() => onlyOf(read({ accounts: [ONE, TWO] }))).toThrow(/--app-id/)
  })

  test('need what a command does, or the one that it names alone does', () => {
    const reminder = { template_id: 'template-1', data: { thing1: '签到' } }
    const ACCOUNTS_FILE = write({ accounts: [{ ...ONE, reminder }, TWO] })
    expect(() => readSettings({ ACCOUNTS_FILE }, 'reminders')).toThrow(
      /^The configuration has faults:\n {2}- accounts\[1\]\.reminder\.template_id: is not set\n {2}- accounts\[1\]\.reminder\.data: is not set$/,
    )
    expect(readSettings({ ACCOUNTS_FILE }, 'reminders', 'wx1').accounts).toHaveLength(2)
    expect(() => readSettings({ ACCOUNTS_FILE }, 'reminders', 'wx2')).toThrow(/accounts\[1\]/)
  })
})

describe('a secret', () => {
  const secretOf = (app_secret: string, env: Environment = {}) =>
    onlyOf(read({ accounts: [{ ...ONE, app_secret }] }, env)).appSecret

  test('may stand in the environment', () => {
    expect(secretOf(variable('SECRET_OF_ONE'), { SECRET_OF_ONE: SECRET })).toBe(SECRET)
  })

  test('may stand in a file beside the accounts, or anywhere, with the line break of an editor', () => {
    mkdirSync(join(folder, 'secrets'), { recursive: true })
    write(`${SECRET}\n`, 'secrets/one')
    const elsewhere = write(`${SECRET}\r\n`, 'elsewhere')
    expect(secretOf('file:secrets/one')).toBe(SECRET)
    expect(secretOf('file:./secrets/one')).toBe(SECRET)
    expect(secretOf(`file:${elsewhere}`)).toBe(SECRET)
  })

  test('is measured as it is read, not as it is written', () => {
    const callback = { token: variable('TOKEN'), encoding_aes_key: 'file:aes' }
    write(AES_KEY, 'aes')
    const account = onlyOf(read({ accounts: [{ ...ONE, callback }] }, { TOKEN: 'TokenOfTheTests2026' }))
    expect(account.callback).toEqual({ token: 'TokenOfTheTests2026', encodingAesKey: AES_KEY, url: '' })
    expect(faultsOf({ accounts: [{ ...ONE, callback }] }, { TOKEN: 'short' })).toEqual([
      expect.stringMatching(/^accounts\[0\]\.callback\.token: must be 16 to 32/),
    ])
  })

  test.each([
    [variable('MISSING'), /refers to MISSING, which the environment does not have$/],
    [variable('EMPTY'), /refers to EMPTY/],
    ['file:nowhere', /ENOENT.*nowhere/],
    ['file:', /write file:/],
    ['file:.', /is not a file$/],
    ['file:/dev/null', /is not a file$/],
    ['file:void', /is empty/],
    ['$SECRET_OF_ONE', /\$\{NAME\} alone/],
    [`x${variable('SECRET_OF_ONE')}`, /\$\{NAME\} alone/],
    [variable('SECRET OF ONE'), /\$\{NAME\} alone/],
  ])('that is not there is a fault: %s', (app_secret, why) => {
    write('\n', 'void')
    const faults = faultsOf({ accounts: [{ ...ONE, app_secret }] }, { SECRET_OF_ONE: SECRET, EMPTY: '' })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(/^accounts\[0\]\.app_secret: /)
    expect(faults[0]).toMatch(why)
  })

  test('is the only thing that may be a reference', () => {
    const reminder = { template_id: variable('TEMPLATE'), page: 'file:page' }
    expect(
      faultsOf({ accounts: [{ ...ONE, app_id: variable('APP_ID'), reminder }] }, { APP_ID: 'wx1' }),
    ).toEqual([
      expect.stringMatching(/^accounts\[0\]\.app_id: .*only a secret/),
      expect.stringMatching(/^accounts\[0\]\.reminder\.template_id: .*only a secret/),
      expect.stringMatching(/^accounts\[0\]\.reminder\.page: .*only a secret/),
    ])
  })

  test('in a file that everybody may read is warned of, a reference is not', () => {
    const open = write({ accounts: [ONE] })
    expect(readSettings({ ACCOUNTS_FILE: open }, 'nothing').warnings).toEqual([])
    chmodSync(open, 0o644)
    expect(readSettings({ ACCOUNTS_FILE: open }, 'nothing').warnings).toEqual([
      expect.stringContaining('every user of this machine may read it'),
    ])
    const referring = write({ accounts: [{ ...ONE, app_secret: variable('S') }] })
    chmodSync(referring, 0o644)
    expect(readSettings({ ACCOUNTS_FILE: referring, S: SECRET }, 'nothing').warnings).toEqual([])
  })
})

describe('faults of the file', () => {
  test('are told all at once, with those of the environment', () => {
    const faults = faultsOf(
      {
        accounts: [
          { ...ONE, timezone: 'Mars/Olympus', reminder: { cron: 'daily' } },
          { app_id: 'wx2', webhook: { url: 'ftp://x' } },
        ],
        api_keys: [{ ...KEY, hash: 'sha256:x' }],
      },
      { PORT: 'x' },
    )
    expect(faults.map((fault) => fault.replace(/: .*/s, '')).sort()).toEqual(
      [
        'PORT',
        'accounts[0].reminder.cron',
        'accounts[0].timezone',
        'accounts[1].app_secret',
        'accounts[1].webhook.url',
        'api_keys[0].hash',
      ].sort(),
    )
  })

  test('name other settings as the file does', () => {
    const late = { ...ONE, send_until: '09:00', reminder: { cron: '0 10 * * *' } }
    expect(faultsOf({ accounts: [late] })).toEqual([
      expect.stringMatching(/^accounts\[0\]\.reminder\.cron: .* ends at send_until \(09:00\)/),
    ])
    expect(faultsOf({ accounts: [{ ...ONE, webhook: { url: 'https://x.example' } }] })).toEqual([
      'accounts[0].webhook.secret: is not set, and webhook.url is: set both, or none',
    ])
    expect(faultsOf({ accounts: [{ ...late, webhook: { secret: 'webhook-'.repeat(5) } }] })).toHaveLength(2)
  })

  test.each([
    [{ appid: 'wx1' }, 'accounts[0].appid: is no property that there is; did you mean "app_id"?'],
    [{ appSecret: 'x' }, 'accounts[0].appSecret: is no property that there is; did you mean "app_secret"?'],
    [
      { template_id: 'x' },
      'accounts[0].template_id: is no property that there is; write "reminder.template_id"',
    ],
    [{ REMIND_CRON: 'x' }, 'accounts[0].REMIND_CRON: is no property that there is; write "reminder.cron"'],
    [
      { reminder: { crom: 'x' } },
      'accounts[0].reminder.crom: is no property that there is; did you mean "cron"?',
    ],
    [{ 'a b': 1 }, 'accounts[0]."a b": is no property that there is'],
    [{ colour: 'x' }, 'accounts[0].colour: is no property that there is'],
    [{ callback: 'x' }, 'accounts[0].callback: must be an object'],
  ])('name what may have been meant: %j', (more, fault) => {
    expect(faultsOf({ accounts: [{ ...ONE, ...more }] })).toEqual([fault])
  })

  test('a member called __proto__ is unknown as any other', () => {
    expect(
      faultsOf(`{"accounts":[{"app_id":"wx1","app_secret":"${SECRET}","__proto__":{"channel":"official"}}]}`),
    ).toEqual(['accounts[0].__proto__: is no property that there is'])
  })

  test.each([
    [{ send_concurrency: '64' }, /send_concurrency: must be a number, without quotes/],
    [{ send_concurrency: 1.5 }, /send_concurrency: "1.5" is not a whole number/],
    [{ send_rate: 'fast' }, /send_rate: must be a number, without quotes, or "unlimited"/],
    [{ send_rate: 0 }, /send_rate: /],
    [{ timezone: 8 }, /timezone: must be a text in quotes/],
    [{ timezone: null }, /timezone: must be a text in quotes/],
    [{ timezone: '' }, /timezone: is empty/],
    [{ templates: 'a,b' }, /templates: must be a list/],
    [{ templates: [] }, /templates: must be a list/],
    [{ templates: ['a,b'] }, /templates: .*comma/],
    [{ templates: ['a', 1] }, /templates: must be a text/],
    [{ templates: ['a', ' b\n'] }, /templates: " b\\n" has blanks around it/],
    [{ reminder: { data: '{"a":"b"}' } }, /reminder\.data: must be an object/],
    [{ reminder: { data: { a: '{strek}' } } }, /reminder\.data: "a" has \{strek\}/],
    [{ reminder: { miniprogram: { appid: 2 } } }, /reminder\.miniprogram: must be JSON such as/],
  ])('say of a value what it must be: %j', (more, fault) => {
    const faults = faultsOf({ accounts: [{ ...ONE, ...more }] })
    expect(faults).toEqual([expect.stringMatching(fault)])
    expect(faults[0]).toMatch(/^accounts\[0\]\./)
  })

  test.each([
    ['{', /^ACCOUNTS_FILE: line 1, column 2: expected/],
    [
      '{"accounts":[{"app_id":"wx1",\n"app_id":"wx2"}]}',
      /^ACCOUNTS_FILE: line 2, column 1: "app_id" stands here a second/,
    ],
    ['', /^ACCOUNTS_FILE: line 1/],
    ['[]', /^ACCOUNTS_FILE: must be an object$/],
    ['null', /^ACCOUNTS_FILE: must be an object$/],
    ['{}', /^accounts: is empty/],
    ['{"accounts":[]}', /^accounts: is empty/],
    ['{"accounts":{}}', /^accounts: must be a list/],
    ['{"accounts":[1]}', /^accounts\[0\]: must be an object/],
    ['{"account":[]}', /^account: is no property that there is; did you mean "accounts"\?/],
  ])('say where the text is wrong: %j', (text, fault) => {
    expect(faultsOf(text)[0]).toMatch(fault)
  })

  test('an account that stands twice is told', () => {
    expect(faultsOf({ accounts: [ONE, TWO, { ...TWO, app_id: 'wx1' }] })).toEqual([
      'accounts[2].app_id: "wx1" is accounts[0] too: each account stands once',
    ])
  })

  test.each([
    ['that is not there', join(folder, 'nowhere.json'), /ENOENT/],
    ['that is a folder', folder, /is not a file/],
    ['without end', '/dev/zero', /is not a file/],
  ])('a file %s is told', (_, ACCOUNTS_FILE, why) => {
    expect(() => readSettings({ ACCOUNTS_FILE }, 'nothing')).toThrow(why)
  })

  test('a file that is too large, or not in UTF-8, is told', () => {
    expect(faultsOf(`${' '.repeat(8 * 1024 ** 2)}{}`)).toEqual([expect.stringMatching(/more than 8 MiB/)])
    const path = write('')
    writeFileSync(path, Buffer.from('{"accounts":"é"}', 'latin1'))
    expect(() => readSettings({ ACCOUNTS_FILE: path }, 'nothing')).toThrow(/not in UTF-8/)
  })

  test('hold nothing of a secret', () => {
    const bad = {
      ...ONE,
      app_secret: `\${${SECRET}`,
      callback: { token: `${SECRET}ä`, encoding_aes_key: `${SECRET}` },
    }
    const webhook = { url: 'https://x.example', secret: SECRET.slice(0, 20) }
    const faults = faultsOf({ accounts: [{ ...bad, webhook }], api_keys: [{ ...KEY, hash: SECRET }] })
    expect(faults).toHaveLength(5)
    expect(faults.join('\n')).not.toContain(SECRET.slice(0, 8))
  })
})

describe('variables of one account beside the file', () => {
  test('are faults that say what to leave out', () => {
    const faults = faultsOf({ accounts: [ONE] }, { WX_APP_ID: 'wx1', TIMEZONE: 'UTC', WX_CHANNEL: '' })
    expect(faults).toEqual([
      'WX_APP_ID: is set, and ACCOUNTS_FILE too: leave it out, and write "app_id" in the file',
      'TIMEZONE: is set, and ACCOUNTS_FILE too: leave it out, and write "timezone" in the file',
    ])
  })

  test('are none if the file itself refers to them, also by their own file', () => {
    const accounts = [{ ...ONE, app_secret: variable('WX_APP_SECRET') }]
    expect(onlyOf(read({ accounts }, { WX_APP_SECRET: SECRET })).appSecret).toBe(SECRET)
    const WX_APP_SECRET_FILE = write(`${SECRET}\n`, 'moved')
    expect(onlyOf(read({ accounts }, { WX_APP_SECRET_FILE })).appSecret).toBe(SECRET)
  })
})

describe('API keys of the file', () => {
  test('are kept as hashes, bound to accounts and scopes, beside those of the environment', () => {
    const expires_at = '2027-01-31T08:00:00+08:00'
    const { keys } = read(
      { accounts: [ONE, TWO], api_keys: [KEY, { ...KEY, hash: hash('b'), accounts: 'all', expires_at }] },
      { API_KEYS: 'old:a-key-of-the-environment' },
    )
    expect(
      keys.map(({ hash: bytes, ...key }) => ({ ...key, hash: `sha256:${bytes.toString('hex')}` })),
    ).toEqual([
      {
        name: 'old',
        hash: hash('a-key-of-the-environment'),
        appIds: 'all',
        scopes: SCOPES,
        expiresAt: undefined,
      },
      { name: 'shop', hash: KEY.hash, appIds: ['wx1'], scopes: ['upload', 'read'], expiresAt: undefined },
      {
        name: 'shop',
        hash: hash('b'),
        appIds: 'all',
        scopes: ['upload', 'read'],
        expiresAt: Date.parse('2027-01-31T00:00:00Z'),
      },
    ])
  })

  test.each([
    [{ hash: 'the-key-itself' }, /^api_keys\[0\]\.hash: must be sha256: and 64 hex/],
    [{ hash: KEY.hash.toUpperCase() }, /hash: must be sha256/],
    [{ accounts: ['wx1', 'wx3'] }, /accounts: "wx3" is no account of this file; did you mean "wx1"/],
    [{ accounts: [] }, /accounts: must be a list/],
    [{ accounts: ['wx1', 'wx1'] }, /accounts: "wx1" stands twice/],
    [{ accounts: 'wx1' }, /accounts: must be a list/],
    [{ accounts: [{ a: 1 }] }, /accounts: \{"a":1\} is no account of this file$/],
    [{ scopes: [null] }, /scopes: null is no scope/],
    [{ scopes: ['write'] }, /scopes: "write" is no scope/],
    [{ scopes: [] }, /scopes: must be a list/],
    [{ scopes: ['read', 'read'] }, /scopes: "read" stands twice/],
    [{ name: '' }, /name: must be a text of 1 to 64/],
    [{ name: 'x'.repeat(65) }, /name: must be a text of 1 to 64/],
    [{ expires_at: '2027-01-31' }, /expires_at: must be a moment with its offset/],
    [{ expires_at: '2027-13-31T00:00:00Z' }, /expires_at: must be a moment/],
    [{ expires_at: '2027-02-31T00:00:00Z' }, /expires_at: must be a moment/],
    [{ expires_at: 1_800_000_000_000 }, /expires_at: must be a moment/],
    [{ expire_at: '2027-01-31T00:00:00Z' }, /^api_keys\[0\]\.expire_at: .*did you mean "expires_at"/],
  ])('with a fault are told: %j', (more, fault) => {
    expect(faultsOf({ accounts: [ONE], api_keys: [{ ...KEY, ...more }] })).toEqual([
      expect.stringMatching(fault),
    ])
  })

  test('lack nothing that they need', () => {
    expect(faultsOf({ accounts: [ONE], api_keys: [{}] })).toEqual(
      ['name', 'hash', 'accounts', 'scopes'].map((name) => `api_keys[0].${name}: is not set`),
    )
  })

  test('stand once, in the file and in the environment', () => {
    expect(faultsOf({ accounts: [ONE], api_keys: [KEY, { ...KEY, name: 'app' }] })).toEqual([
      expect.stringMatching(/^api_keys\[1\]\.hash: is the hash of api_keys\[0\] too/),
    ])
    expect(faultsOf({ accounts: [ONE], api_keys: [KEY] }, { API_KEYS: 'old:the-key-of-the-shop' })).toEqual([
      expect.stringMatching(/^api_keys\[0\]\.hash: is the hash of the key "old" of API_KEYS/),
    ])
  })
})
