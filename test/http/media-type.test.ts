import { expect, test } from 'vitest'
import { createAccounts } from '../../src/accounts.js'
import { buildApp } from '../../src/app.js'
import { readAccount, readConfig } from '../../src/config/read.js'
import { createKeyring, unboundKey } from '../../src/http/api-keys.js'
import { createLogger } from '../../src/lib/logger.js'
import { assertMigrated } from '../../src/schema.js'
import { createTestDatabase } from '../helpers/database.js'
import { testMetrics } from '../helpers/metrics.js'
import { testParts } from '../helpers/parts.js'
import { SERVICE_ENV } from '../helpers/service.js'

test('a body that is not called JSON is refused as such, plain text included', async () => {
  const { db, close } = await createTestDatabase('sqlite')
  const app = await buildApp({
    db,
    assertMigrated,
    accounts: createAccounts([readAccount(SERVICE_ENV)]),
    ...readConfig({ API_KEYS: 'backend:key-of-the-media-types' }),
    keys: createKeyring(readConfig({ API_KEYS: 'backend:key-of-the-media-types' }).apiKeys.map(unboundKey)),
    partsOf: () => testParts(db),
    metrics: testMetrics(),
    log: createLogger({ level: 'silent', secrets: [] }),
    now: Date.now,
  })
  try {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const response = await app.inject({
        method: 'POST',
        url: '/v1/form-ids',
        headers: { authorization: 'Bearer key-of-the-media-types', 'content-type': type },
        payload: '{"open_id":"o","user_id":1,"form_id":"F"}',
      })
      expect(response.statusCode, type).toBe(415)
      expect(response.json().error.code).toBe('unsupported_media_type')
    }
  } finally {
    await app.close()
    await close()
  }
})
