import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { createAccounts } from '../../src/accounts.js'
import { buildApp } from '../../src/app.js'
import { readAccount, readConfig } from '../../src/config/read.js'
import { createKeyring, unboundKey } from '../../src/http/api-keys.js'
import { createLogger } from '../../src/lib/logger.js'
import { assertMigrated } from '../../src/schema.js'
import { createTestDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { testMetrics } from '../helpers/metrics.js'
import { testParts } from '../helpers/parts.js'
import { openSocket } from '../helpers/raw-socket.js'
import { API_KEY, SERVICE_ENV } from '../helpers/service.js'

test.each([
  ['of a known length', 'Content-Length: 100\r\n\r\n{"user_id":'],
  ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\n{"use'],
])('a caller that leaves in the middle of a body %s is no outage of the database', async (_, rest) => {
  const { db, close } = await createTestDatabase('sqlite')
  const lines: Record<string, unknown>[] = []
  const output = { write: (line: string) => lines.push(JSON.parse(line)) }
  const app = await buildApp({
    db,
    assertMigrated,
    accounts: createAccounts([readAccount(SERVICE_ENV)]),
    ...readConfig(SERVICE_ENV),
    keys: createKeyring(readConfig(SERVICE_ENV).apiKeys.map(unboundKey)),
    partsOf: () => testParts(db),
    metrics: testMetrics(),
    log: createLogger({ level: 'info', secrets: [], output }),
    now: Date.now,
  })
  try {
    let request: IncomingMessage | undefined
    app.server.once('request', (each: IncomingMessage) => {
      request = each
    })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const { socket } = await openSocket(
      url,
      `POST /v1/sign-ins HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer ${API_KEY}\r\n${rest}`,
    )
    await eventually('a look at the body', async () => (request?.listenerCount('data') ?? 0) > 0)
    socket.destroy()
    await eventually('the end of the request', async () => request?.closed)
    // Whatever the service had to say of it, it has said before it answers somebody else.
    await (await fetch(`${url}/healthz`)).arrayBuffer()
    expect(request?.readableAborted).toBe(true)
    expect(lines.filter(({ level }) => level !== 'info' && level !== 'debug')).toEqual([])
  } finally {
    await app.close()
    await close()
  }
})
