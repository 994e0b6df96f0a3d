import type { Knex } from 'knex'
import type { Account } from '../../src/account.js'
import { readAccount, readConfig } from '../../src/config/read.js'
import type { ConnectionLimits } from '../../src/http/connections.js'
import { type Service, startService } from '../../src/service.js'
import { createTestDatabase, type Dialect, type TestDatabase } from './database.js'

export const APP_ID = 'wx5a6d9e0c1b2f3a48'
export const APP_SECRET = '0123456789abcdef0123456789abcdef'
export const API_KEY = 'key-of-the-shop-4f81c2'
export const OTHER_API_KEY = 'key-of-the-app-93d7e0'

/** Settings of a service on a free port that says nothing. */
export const SERVICE_ENV = {
  PORT: '0',
  LOG_LEVEL: 'silent',
  API_KEYS: `shop:${API_KEY},app:${OTHER_API_KEY}`,
  WX_APP_ID: APP_ID,
  WX_APP_SECRET: APP_SECRET,
}

export interface Answer {
  status: number
  headers: Headers
  /** Parsed, where it is JSON. */
  body: unknown
  text: string
}

export interface TestService extends Service {
  database: TestDatabase
  db: Knex
  account: Account
  request(
    method: string,
    path: string,
    options?: { body?: string | Uint8Array; headers?: Record<string, string> },
  ): Promise<Answer>
  /** As a backend with a key would: JSON, unless the body is a string already. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Stops it and removes its database. */
  close(): Promise<void>
}

/** The whole service, listening, on a database of its own. `env` and `databaseUrl` in place of what it would have. */
export async function startTestService(
  dialect: Dialect,
  options: {
    env?: Record<string, string>
    databaseUrl?(url: string): string
    now?: () => number
    connections?: Partial<ConnectionLimits>
  } = {},
): Promise<TestService> {
  const database = await createTestDatabase(dialect)
  const { databaseUrl = (url: string) => url, now, connections } = options
  const env = { ...SERVICE_ENV, DATABASE_URL: databaseUrl(database.url), ...options.env }
  const account = readAccount(env)
  const service = await startService(readConfig(env), account, {
    migrate: true,
    ...(now ? { now } : {}),
    ...(connections ? { connections } : {}),
  })

  const request: TestService['request'] = async (method, path, { body, headers } = {}) => {
    const response = await fetch(service.url + path, {
      method,
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
      ...(headers === undefined ? {} : { headers }),
    })
    const text = await response.text()
    const isJson = /^application\/json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text !== '' ? JSON.parse(text) : undefined,
      text,
    }
  }

  return {
    ...service,
    database,
    db: database.db,
    account,
    request,
    post: (path, body, headers = {}) =>
      request('POST', path, {
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${API_KEY}`, ...headers },
      }),
    async close() {
      await service.stop()
      await database.close()
    },
  }
}
