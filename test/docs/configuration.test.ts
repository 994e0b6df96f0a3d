import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findAccount } from '../../src/cli/account.js'
import { ACCOUNT_PROPERTIES } from '../../src/config/account-properties.js'
import { readAccount, readConfig, readSettings } from '../../src/config/read.js'
import { accountSettings, serviceSettings } from '../../src/config/settings.js'
import { checkValue, fitValue } from '../../src/wechat/template-values.js'
import { all, codeIn, environmentOf, languagesOf, PAGES, read, rowsOf, sorted, wordOf } from './pages.js'

const NAMES = Object.keys({ ...serviceSettings, ...accountSettings })
const PREFIXES = sorted(NAMES.map((name) => name.split('_')[0] ?? ''))

/** Settings as they come out, of an environment that has these. */
const effective = (env: Record<string, string>) => ({
  ...readConfig(env),
  ...readAccount({ WX_APP_ID: 'wxA', ...env }),
})

const secret = (bytes: number) => randomBytes(bytes).toString('hex')
const OWN_SECRETS = {
  API_KEYS: `backend:${secret(32)}`,
  SESSION_SECRET: secret(32),
  WX_CALLBACK_TOKEN: secret(16),
  WX_ENCODING_AES_KEY: secret(22).slice(1),
}

describe.each(languagesOf('docs/configuration.md'))('%s', (page) => {
  const rows = rowsOf(page, 'variable', '变量')

  test('lists exactly the settings that there are, each once', () => {
    expect(rows.map(([name]) => wordOf(name)).sort()).toEqual([...NAMES].sort())
  })

  test('says the defaults that they have', () => {
    const withDefault = rows.filter(([, value]) => wordOf(value) !== '')
    expect(withDefault.length).toBeGreaterThan(10)
    for (const [name, value] of withDefault)
      expect(effective({ [wordOf(name)]: wordOf(value) }), name).toEqual(effective({}))
  })

  test('says "none" of those that have no default, and "required" of those without which a run does not start', () => {
    const others = rows.filter(([, value]) => wordOf(value) === '')
    const required = others
      .filter(([, value]) => /required|必填/.test(value ?? ''))
      .map(([name]) => wordOf(name))
    const start = () => readSettings({}, 'reminders')
    for (const name of required) expect(start, name).toThrow(`${name}: is not set`)
    const all = {
      WX_APP_ID: 'wxA',
      WX_APP_SECRET: 's',
      REMINDER_TEMPLATE_ID: 't',
      REMINDER_DATA: '{"a":"b"}',
    }
    expect(sorted(required)).toEqual(sorted(Object.keys(all)))
    expect(() => readSettings(all, 'reminders')).not.toThrow()
    for (const [name, value] of others)
      expect(
        ['none', '无', ...required].some((word) => word === value || word === wordOf(name)),
        name,
      ).toBe(true)
  })
})

describe.each(languagesOf('docs/configuration.md'))('%s', (page) => {
  test('lists exactly the properties that an account of the file may have, each with its variable', () => {
    const rows = rowsOf(page, 'property', '属性').map(([path, variable]) => [wordOf(path), wordOf(variable)])
    const expected = Object.entries(ACCOUNT_PROPERTIES).map(([variable, { path }]) => [path, variable])
    expect(rows.sort()).toEqual(expected.sort())
  })

  test('shows a file that the service takes', () => {
    const [example = ''] = codeIn(read(page), 'json').filter((block) => block.includes('"accounts"'))
    const folder = mkdtempSync(join(tmpdir(), 'documented-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    // What it refers to, beside it.
    mkdirSync(join(folder, 'secrets'))
    writeFileSync(join(folder, 'secrets/shop-token'), secret(16))
    writeFileSync(join(folder, 'secrets/shop-aes-key'), secret(22).slice(1))
    writeFileSync(join(folder, 'secrets/club'), secret(16))
    const ACCOUNTS_FILE = join(folder, 'accounts.json')
    writeFileSync(ACCOUNTS_FILE, example.replace('/run/secrets/club', 'secrets/club'))
    const { accounts, keys } = readSettings({ ACCOUNTS_FILE, SHOP_SECRET: secret(16) }, 'any message')
    expect(accounts.map(({ channel }) => channel)).toEqual(['subscribe', 'official'])
    expect(keys).toMatchObject([{ appIds: [accounts[0]?.appId], scopes: ['upload', 'read'] }])
  })
})

test.each(PAGES)('%s names settings that there are', (page) => {
  const named = all(read(page), new RegExp(`\\b((?:${PREFIXES.join('|')})_[A-Z_]*[A-Z])\\b`, 'g'))
  expect(sorted(named).filter((name) => !NAMES.includes(name))).toEqual([])
})

describe.each(languagesOf('docs/configuration.md'))('%s', (page) => {
  const rows = rowsOf(page, 'type', '类型')

  test('says of the values of each type what is done to those that are too long', () => {
    expect(rows.length).toBeGreaterThan(12)
    for (const [types = '', , done = ''] of rows)
      for (const type of all(types, /`(\w+)`/g)) {
        const shortest = ['字', '1', 'a', '★'].find((text) => !checkValue(`${type}1`, text)) ?? '15:01'
        const long = shortest.repeat(60)
        const cut = fitValue(`${type}1`, long)
        const isCut = /cut to|截/.test(done) && !/不截/.test(done)
        expect(cut !== long, type).toBe(isCut)
        if (isCut) expect(checkValue(`${type}1`, cut), type).toBeUndefined()
        const kept = /(\d+)/.exec(done)?.[1]
        const mark = /`(\S+)`/.exec(done)?.[1] ?? ''
        if (isCut && kept) expect(cut, type).toBe(shortest.repeat(Number(kept)) + mark)
      }
  })
})

/** Pages with a configuration to copy, and what it is for. */
const CONFIGURATIONS = [
  ...languagesOf('docs/configuration.md').map((page) => [page, { userIds: 'backend' }] as const),
  ...languagesOf('docs/mini-program.md').map((page) => [page, { userIds: 'auto' }] as const),
]

test.each(CONFIGURATIONS)('%s shows a configuration that the service takes', (page, expected) => {
  const lines = codeIn(read(page), 'sh').find((block) => block.includes('\nREMINDER_DATA=')) ?? ''
  const env = environmentOf(lines)
  // Its secrets are samples, which nobody may use.
  expect(() => readSettings(env, 'reminders')).toThrow(/sample/)
  const own = Object.entries(OWN_SECRETS).filter(([name]) => name in env)
  const { accounts } = readSettings({ ...env, ...Object.fromEntries(own) }, 'reminders')
  expect(findAccount(accounts, undefined)).toMatchObject({ channel: 'subscribe', ...expected })
})
