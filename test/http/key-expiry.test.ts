import { expect, test } from 'vitest'
import { createKeyring, SCOPES } from '../../src/http/api-keys.js'
import { createExpiryNotice, EXPIRES_SOON_MS } from '../../src/http/key-expiry.js'
import { createLogger } from '../../src/lib/logger.js'
import { sha256 } from '../../src/lib/sha256.js'
import { DAY_MS } from '../helpers/constants.js'

const EXPIRY = Date.parse('2026-12-31T00:00:00Z')
const keyOf = (text: string, expiresAt?: number) => ({
  name: 'shop',
  hash: sha256(text),
  appIds: 'all' as const,
  scopes: SCOPES,
  expiresAt,
})

test('the log tells once a day that a key which is used expires within fourteen days', () => {
  const lines: string[] = []
  const log = createLogger({ level: 'info', secrets: [], output: { write: (line) => lines.push(line) } })
  const tell = createExpiryNotice(log)
  const [key, other, endless] = [keyOf('a', EXPIRY), keyOf('b', EXPIRY), keyOf('c')]
  const used = (now: number) => {
    lines.length = 0
    for (const each of [key, key, endless]) tell(each, now)
    return lines.length
  }
  expect(used(EXPIRY - EXPIRES_SOON_MS - 1)).toBe(0)
  expect(used(EXPIRY - EXPIRES_SOON_MS)).toBe(1)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'warn',
    event: 'key.expires_soon',
    key: 'shop',
    expires_at: '2026-12-31T00:00:00.000Z',
  })
  expect(used(EXPIRY - EXPIRES_SOON_MS + DAY_MS - 1)).toBe(0)
  expect(used(EXPIRY - EXPIRES_SOON_MS + DAY_MS)).toBe(1)
  tell(other, EXPIRY - 1)
  expect(lines).toHaveLength(2)
  expect(used(EXPIRY)).toBe(0)
})

test('keys may be exchanged while they are asked for: the new ones count at once, the old ones no more', () => {
  const keyring = createKeyring([keyOf('old')])
  expect(keyring.find('old')?.name).toBe('shop')
  keyring.replace([keyOf('new'), keyOf('other')])
  expect(keyring.find('old')).toBeUndefined()
  expect(keyring.find('new')?.name).toBe('shop')
  expect(keyring.find('')).toBeUndefined()
})
