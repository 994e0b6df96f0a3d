import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import Schema from 'typebox/schema'
import { afterAll, describe, expect, test } from 'vitest'
import { accountsSchema } from '../../src/config/accounts-schema.js'
import { readSettings } from '../../src/config/read.js'
import { ConfigError } from '../../src/errors.js'

const folder = mkdtempSync(join(tmpdir(), 'accounts-schema-'))
afterAll(() => rmSync(folder, { recursive: true }))

const ACCOUNTS_FILE = join(folder, 'accounts.json')
const SECRET = 'b1946ac92492d2347c6235b4d2611184'
const variable = (name: string) => `\${${name}}`

/** With every property that there is. */
const FULL = {
  $schema: './accounts.schema.json',
  accounts: [
    {
      app_id: 'wx1',
      app_secret: SECRET,
      channel: 'subscribe',
      token_mode: 'stable',
      user_ids: 'backend',
      timezone: 'Asia/Shanghai',
      send_until: '22:00',
      send_concurrency: 64,
      send_rate: 100,
      expire_cron: '*/20 * * * *',
      callback: {
        token: 'TokenOfTheTests2026',
        encoding_aes_key: '2isAjIhKtJ0RlgLKOmxgJTeKdNnFRIBXuDL7DxtpYlS',
        url: 'https://shop.example/wechat/callback',
      },
      reminder: {
        cron: '0 10 * * *',
        template_id: 'template-1',
        page: 'pages/index',
        data: { thing1: '日领积分', date3: '{date}' },
      },
      templates: ['template-2'],
      miniprogram_state: 'formal',
      lang: 'zh_CN',
      webhook: { url: 'https://shop.example/messages', secret: 'webhook-'.repeat(5) },
    },
    {
      app_id: 'wx2',
      app_secret: variable('SECRET'),
      channel: 'official',
      send_rate: 'unlimited',
      reminder: { url: 'https://shop.example/', miniprogram: { appid: 'wx9', pagepath: 'pages/index' } },
    },
  ],
  api_keys: [
    { name: 'shop', hash: `sha256:${'0a'.repeat(32)}`, accounts: ['wx1'], scopes: ['upload'] },
    {
      name: 'shop',
      hash: `sha256:${'0b'.repeat(32)}`,
      accounts: 'all',
      scopes: ['read', 'send'],
      expires_at: '2027-01-31T00:00:00Z',
    },
  ],
}

function faultsOf(content: unknown): string[] {
  writeFileSync(ACCOUNTS_FILE, JSON.stringify(content), { mode: 0o600 })
  try {
    readSettings({ ACCOUNTS_FILE, SECRET }, 'nothing')
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

const schema = accountsSchema()
const compiled = Schema.Compile(schema)
const isValid = (content: unknown): boolean => compiled.Check(JSON.parse(JSON.stringify(content)))

/** What no schema can say of a value. */
const READER_ALONE = [
  /IANA time zone/,
  /cron|firing|field|constraint|Invalid|characters|expected range/i,
  /first fires at/,
  /stands? (twice|once)/,
  /is no account of this file/,
  /only a secret may be a reference/,
  /refers to|ENOENT|NAME\} alone|names no file/,
  /needs at least|repeats a few|is a sample/,
  /must be an? https?:/,
  /is a web address/,
  // What the texts of a template may say.
  /\.reminder\.data: "/,
  /must be a moment/,
  /reminder\.data: "\w+" .* \| /,
]

test('docs/accounts.schema.json is the schema (to write it anew: npx vitest run test/config/accounts-schema.test.ts --update)', async () => {
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot('../../docs/accounts.schema.json')
})

test('a file with every property is taken by both', () => {
  expect(faultsOf(FULL)).toEqual([])
  expect(isValid(FULL)).toBe(true)
})

/** The path to every value of a file. */
function pathsOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path]
  const inner = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [path, ...inner.flatMap(([name, part]) => pathsOf(part, [...path, name]))]
}

const valueAt = (path: (string | number)[]): unknown =>
  path.reduce<unknown>((at, step) => (at as Record<string | number, unknown>)[step], FULL)

/** The file with another value there, or, if that is undefined, with none. */
function changed(path: (string | number)[], value: unknown): unknown {
  const [last] = path.slice(-1)
  if (last === undefined) return value
  const copy = structuredClone(FULL) as unknown
  let at = copy as Record<string | number, unknown>
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>
  if (value === undefined) Array.isArray(at) ? at.splice(Number(last), 1) : delete at[last]
  else at[last] = value
  return copy
}

const ODD = [
  ...[
    undefined,
    null,
    true,
    0,
    -1,
    1.5,
    64,
    1024,
    1025,
    1e21,
    [],
    {},
    [''],
    ['a', 'a'],
    [1],
    ['a,b'],
    [' a'],
    ['a\n'],
    { a: 1 },
  ],
  ...[
    '',
    ' ',
    'a',
    'wx1',
    'wx2',
    'all',
    'unlimited',
    'official',
    'subscribe',
    'read',
    'formal',
    'en_US',
    '微信',
  ],
  ...[
    'two words',
    'x'.repeat(65),
    '22:00',
    '9:00',
    '24:00',
    'https://x',
    'HTTP://127.0.0.1/',
    'ftp://x',
    'https://',
  ],
  ...[variable('SECRET'), variable('MISSING'), variable('A B'), 'file:nowhere', 'file:', 'a\nb', 'file:a\nb'],
  ...[
    SECRET,
    SECRET.slice(0, 16),
    'TokenOfTheTests2026',
    '2027-01-31T00:00:00.5+08:00',
    '2027-01-31',
    '2027-99-99T00:00Z',
    '2027-02-31T00:00Z',
  ],
  ...[
    `sha256:${'0c'.repeat(32)}`,
    `sha256:${'0C'.repeat(32)}`,
    ['read', 'admin'],
    ['read', 'read'],
    ['write'],
    ['wx2'],
  ],
  ...[
    { appid: 'wx9' },
    { appid: '' },
    { pagepath: 'x' },
    { appid: 'wx9', pagepath: '' },
    { appid: 'x', path: 'y' },
  ],
  ...[
    { thing1: 'x' },
    { thing1: '' },
    { thing1: 1 },
    { thing1: '{strek}' },
    { url: 'https://x' },
    { token: SECRET },
  ],
]

describe('the schema and the reader', () => {
  const [, ...paths] = pathsOf(FULL)

  /** Why they disagree about a file, if they do. */
  function disagreement(content: unknown): string | undefined {
    const faults = faultsOf(content)
    const valid = isValid(content)
    if (faults.length === 0) return valid ? undefined : 'the reader takes it, the schema does not'
    if (!valid) return undefined
    const sayable = faults.filter((fault) => !READER_ALONE.some((pattern) => pattern.test(fault)))
    return sayable.length === 0 ? undefined : `the schema takes it, the reader says: ${sayable.join('; ')}`
  }

  test('agree on a third of all values in each place, another third in the next place', {
    tags: ['long'],
  }, () => {
    const found: string[] = []
    for (const [i, path] of paths.entries()) {
      for (const value of ODD.filter((_, j) => (i + j) % 3 === 0)) {
        // What a reference refers to, no schema knows.
        if (path.at(-1) === 'encoding_aes_key' && value === variable('SECRET')) continue
        const why = disagreement(changed(path, value))
        if (why !== undefined) found.push(`${path.join('.')} = ${JSON.stringify(value)}: ${why}`)
      }
    }
    expect(found).toEqual([])
  })

  test('agree on names that there are not, in every object', () => {
    const objects = paths.filter((path) => {
      const value = valueAt(path)
      return typeof value === 'object' && !Array.isArray(value)
    })
    expect(objects.length).toBeGreaterThan(6)
    for (const path of [[], ...objects]) {
      for (const name of ['app_id', 'url', 'nothing', 'toString']) {
        const content = changed([...path, name], 'x')
        expect(disagreement(content), `${path.join('.')}.${name}`).toBeUndefined()
      }
    }
  })

  test('agree on whatever else JSON can be', { tags: ['long'] }, () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }), (path, value) => {
        expect(disagreement(changed(path, value))).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })
})
