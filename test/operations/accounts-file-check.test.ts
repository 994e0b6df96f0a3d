import { expect, test } from 'vitest'
import { SCOPES } from '../../src/http/api-keys.js'
import { sha256 } from '../../src/lib/sha256.js'
import { examineAccountsFile } from '../../src/operations/accounts-file-check.js'
import { DAY_MS } from '../helpers/constants.js'

const NOW = Date.parse('2026-11-21T00:00:00Z')
const keyOf = (name: string, expiresAt?: number) => ({
  name,
  hash: sha256(name),
  appIds: 'all' as const,
  scopes: SCOPES,
  expiresAt,
})

test('the doctor counts what the file has', () => {
  const keys = [keyOf('shop'), keyOf('app', NOW + 14 * DAY_MS + 1)]
  expect(examineAccountsFile({ accounts: [1], keys, warnings: [] }, NOW)).toMatchObject([
    { name: 'accounts_file', status: 'ok', reason: '1 account, 2 API keys' },
    { name: 'api_keys', status: 'ok', reason: 'none expires within 14 days' },
  ])
})

test('it names keys that have expired or will within fourteen days, and a file that shows secrets to everybody', () => {
  const keys = [keyOf('shop', NOW), keyOf('app', NOW + 14 * DAY_MS), keyOf('club', NOW + 1)]
  const [file, found] = examineAccountsFile({ accounts: [1, 2], keys, warnings: ['it is open'] }, NOW)
  expect(file).toMatchObject({ status: 'warn', reason: expect.stringContaining('may read it') })
  expect(found).toMatchObject({
    status: 'warn',
    reason:
      '"shop" expired at 2026-11-21T00:00:00.000Z; "app" expires at 2026-12-05T00:00:00.000Z; "club" expires at 2026-11-21T00:00:00.001Z',
    fix: expect.stringContaining('hash-key'),
  })
})
