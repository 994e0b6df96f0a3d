import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findAccount } from '../../src/cli/account.js'
import { readConfig, readSettings } from '../../src/config/read.js'
import { APP_ID } from '../helpers/constants.js'

const folder = mkdtempSync(join(tmpdir(), 'secret-files-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileWith(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const SECRET = 'b1946ac92492d2347c6235b4d2611184'

test('a secret may stand in a file, with the line break that editors leave at its end', () => {
  const env = {
    WX_APP_ID: APP_ID,
    WX_APP_SECRET_FILE: fileWith('app-secret', `${SECRET}\n`),
    SESSION_SECRET_FILE: fileWith('session', `${SECRET}\r\n`),
    DATABASE_URL_FILE: fileWith('database', 'mysql://user:password@127.0.0.1/reminder'),
  }
  const { config, accounts } = readSettings(env, 'any message')
  expect(findAccount(accounts, undefined).appSecret).toBe(SECRET)
  expect(config).toMatchObject({
    sessionSecrets: [SECRET],
    databaseUrl: 'mysql://user:password@127.0.0.1/reminder',
  })
})

test('what stands in a file is held to the same rules, and not repeated', () => {
  const env = { SESSION_SECRET_FILE: fileWith('short', 'too-short-a-secret') }
  expect(() => readConfig(env)).toThrow(/SESSION_SECRET: /)
  expect(() => readConfig(env)).not.toThrow(/too-short-a-secret/)
})

test('a file that is not there, and a secret given in both ways, are named at once', () => {
  const env = {
    ADMIN_PASSWORD_FILE: join(folder, 'nowhere'),
    METRICS_TOKEN: SECRET,
    METRICS_TOKEN_FILE: fileWith('metrics', SECRET),
  }
  expect(() => readConfig(env)).toThrow(/ADMIN_PASSWORD_FILE: .*nowhere[\s\S]*METRICS_TOKEN: is set, and/)
})

test('the name of a file that is set to nothing counts as not set', () => {
  expect(readConfig({ ADMIN_PASSWORD_FILE: '' }).adminPassword).toBeUndefined()
})
