import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { reloadAccounts } from '../../src/config/reload.js'
import { createLogger } from '../../src/lib/logger.js'

const folder = mkdtempSync(join(tmpdir(), 'reload-'))
afterAll(() => rmSync(folder, { recursive: true }))

const ACCOUNTS_FILE = join(folder, 'accounts.json')
const SECRET = 'b1946ac92492d2347c6235b4d2611184'

function reload(content: unknown, env: Record<string, string> = { ACCOUNTS_FILE }) {
  writeFileSync(ACCOUNTS_FILE, typeof content === 'string' ? content : JSON.stringify(content), {
    mode: 0o600,
  })
  const lines: Record<string, unknown>[] = []
  const output = { write: (line: string) => lines.push(JSON.parse(line)) }
  const settings = reloadAccounts(env, createLogger({ level: 'info', secrets: [], output }))
  return { appIds: settings?.accounts.map(({ appId }) => appId), lines }
}

test('a changed file is read, and the log says what it has', () => {
  const accounts = ['wx1', 'wx2'].map((app_id) => ({ app_id, app_secret: SECRET }))
  expect(reload({ accounts })).toEqual({
    appIds: ['wx1', 'wx2'],
    lines: [expect.objectContaining({ level: 'info', event: 'accounts.read', accounts: 2, api_keys: 0 })],
  })
})

test.each([
  ['half written', `{"accounts":[{"app_id":"wx1","app_secret":"${SECRET}"}`],
  ['empty', ''],
  [
    'with one account right and one wrong',
    { accounts: [{ app_id: 'wx1', app_secret: SECRET }, { app_id: 'wx2' }] },
  ],
])('a file that is %s is refused whole, in one line with the reason and without a secret', (_, content) => {
  const { appIds, lines } = reload(content)
  expect(appIds).toBeUndefined()
  expect(lines).toEqual([
    expect.objectContaining({
      level: 'error',
      event: 'accounts.refused',
      faults: [expect.stringMatching(/\w: /)],
    }),
  ])
  expect(JSON.stringify(lines)).not.toContain(SECRET)
})

test('without a file there is nothing to take up, and the log says so', () => {
  expect(reload('', { WX_APP_ID: 'wx1', WX_APP_SECRET: SECRET })).toMatchObject({
    appIds: undefined,
    lines: [{ event: 'accounts.refused', faults: [expect.stringMatching(/^ACCOUNTS_FILE: is not set/)] }],
  })
})

test('what should not stay so is a line of its own', () => {
  reload({ accounts: [{ app_id: 'wx1', app_secret: SECRET }] })
  chmodSync(ACCOUNTS_FILE, 0o644)
  expect(reload({ accounts: [{ app_id: 'wx1', app_secret: SECRET }] }).lines).toMatchObject([
    { event: 'accounts.read' },
    { level: 'warn', event: 'accounts.warning' },
  ])
})
