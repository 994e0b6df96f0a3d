import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { run } from '../../src/cli/run.js'
import { readSettings } from '../../src/config/read.js'
import { createKeyring } from '../../src/http/api-keys.js'
import { createTestDatabase } from '../helpers/database.js'

const folder = mkdtempSync(join(tmpdir(), 'cli-accounts-'))
afterAll(() => rmSync(folder, { recursive: true }))

const ACCOUNTS_FILE = join(folder, 'accounts.json')
const ACCOUNT = { app_id: 'wx1', app_secret: 'b1946ac92492d2347c6235b4d2611184' }

function write(content: object): void {
  writeFileSync(ACCOUNTS_FILE, JSON.stringify(content), { mode: 0o600 })
}

async function call(words: string[], env: Record<string, string> = {}) {
  const written = { stdout: '', stderr: '' }
  const streams = {
    stdout: { write: (text: string) => (written.stdout += text) },
    stderr: { write: (text: string) => (written.stderr += text) },
  }
  const code = await run(['node', 'reminder', ...words], env, streams)
  return { code, ...written }
}

test('hash-key makes a new key each time, and a hash by which the file knows it', async () => {
  const made = await Promise.all([call(['hash-key']), call(['hash-key'])])
  const [first = [], second = []] = made.map(
    ({ stdout }) => /^key {3}(\S+)\nhash {2}(\S+)\n$/.exec(stdout) ?? [],
  )
  expect(first[1]).toMatch(/^[\w-]{43}$/)
  expect(first[1]).not.toBe(second[1])
  const key = { name: 'shop', hash: first[2], accounts: ['wx1'], scopes: ['read'] }
  write({ accounts: [ACCOUNT], api_keys: [key] })
  const keyring = createKeyring(readSettings({ ACCOUNTS_FILE }, 'nothing').keys)
  expect(keyring.find(first[1] ?? '')).toMatchObject({ name: 'shop', appIds: ['wx1'], scopes: ['read'] })
  expect(keyring.find(second[1] ?? '')).toBeUndefined()
})

test('the doctor looks at the file, and tells a key that has expired', async () => {
  const database = await createTestDatabase('sqlite')
  onTestFinished(() => database.close())
  const hash = `sha256:${'0a'.repeat(32)}`
  const key = { name: 'shop', hash, accounts: 'all', scopes: ['read'], expires_at: '2020-01-01T00:00:00Z' }
  write({ accounts: [ACCOUNT], api_keys: [key] })
  chmodSync(ACCOUNTS_FILE, 0o644)
  // Nothing answers there: the token is a finding of its own.
  const env = { ACCOUNTS_FILE, DATABASE_URL: database.url, WX_API_BASE_URL: 'http://127.0.0.1:9' }
  const { stdout } = await call(['doctor', '--json'], env)
  expect(JSON.parse(stdout).checks).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: 'accounts_file', status: 'warn' }),
      expect.objectContaining({
        name: 'api_keys',
        status: 'warn',
        reason: expect.stringContaining('"shop" expired'),
      }),
    ]),
  )
  expect(stdout).not.toContain(ACCOUNT.app_secret)
})

test('the doctor of a file with faults ends with all of them', async () => {
  write({ accounts: [{ app_id: 'wx1', timezone: 'Mars/Olympus' }] })
  const { code, stderr } = await call(['doctor'], { ACCOUNTS_FILE })
  expect(code).toBe(1)
  expect(stderr).toContain('accounts[0].app_secret: is not set')
  expect(stderr).toContain('accounts[0].timezone: "Mars/Olympus"')
})
