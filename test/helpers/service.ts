import type { Knex } from 'knex'
import { afterAll, beforeAll } from 'vitest'
import type { Account } from '../../src/account.js'
import type { AccountService } from '../../src/account-service.js'
import { readAccount, readConfig } from '../../src/config/read.js'
import type { ApiKey } from '../../src/http/api-keys.js'
import type { ConnectionLimits } from '../../src/http/connections.js'
import { type Service, startService } from '../../src/service.js'
import { APP_ID, APP_SECRET } from './constants.js'
import { createTestDatabase, type Dialect, type TestDatabase, useDatabase } from './database.js'
import { codeOf, readDeclaredErrors } from './declared-errors.js'

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
  /** What the jobs of its account work with. */
  sending: AccountService['sending']
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

export interface ServiceOptions {
  /** In place of what it would have. */
  env?: Record<string, string>
  databaseUrl?(url: string): string
  /** Asked for when it starts. */
  wechatUrl?(): string
  now?: () => number
  connections?: Partial<ConnectionLimits>
  /** In place of those of API_KEYS. */
  keys?: ApiKey[]
}

/**
 * The whole service for the tests of a describe or of a file, on a database that is empty before each of them unless
 * rows are kept. Its requests can be held at once, what it has besides from the first hook on.
 */
export function useService(
  dialect: Dialect,
  { keepRows = false, ...options }: ServiceOptions & { keepRows?: boolean } = {},
): TestService {
  const { service, open } = makeService(useDatabase(dialect, { keepRows }), options)
  beforeAll(open)
  afterAll(service.stop)
  return service
}

/** The whole service, listening, on a database of its own. */
export async function startTestService(dialect: Dialect, options: ServiceOptions = {}): Promise<TestService> {
  const { service, open } = makeService(await createTestDatabase(dialect), options)
  await open()
  return service
}

function makeService(
  database: TestDatabase,
  { databaseUrl = (url) => url, wechatUrl, env: changes, now, connections, keys }: ServiceOptions,
): { service: TestService; open(): Promise<void> } {
  const env: Record<string, string> = { ...SERVICE_ENV, DATABASE_URL: databaseUrl(database.url), ...changes }
  const account = readAccount(env)
  let started: Service | undefined
  let declared: ReturnType<typeof readDeclaredErrors> | undefined

  function running(): Service {
    if (!started) throw new Error('The service runs in hooks and tests only')
    return started
  }

  /** In every test: the API description names each error that a call was answered with. */
  function expectDeclared(method: string, path: string, code: string | undefined): void {
    if (env.API_DOCS === 'off' || code === undefined) return
    declared ??= readDeclaredErrors(running().app)
    const codes = declared(method, path)
    if (codes && !codes.includes(code))
      throw new Error(`${method} ${path} answered ${code}, which its errorsOf() does not name`)
  }

  const request: TestService['request'] = async (method, path, { body, headers } = {}) => {
    const response = await fetch(running().url + path, {
      method,
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
      ...(headers === undefined ? {} : { headers }),
    })
    const text = await response.text()
    const isJson = /^application\/json/.test(response.headers.get('content-type') ?? '')
    const answered = isJson && text !== '' ? JSON.parse(text) : undefined
    if (response.status >= 400) expectDeclared(method, path, codeOf(answered))
    return { status: response.status, headers: response.headers, body: answered, text }
  }

  const service: TestService = {
    get url() {
      return running().url
    },
    get app() {
      return running().app
    },
    get sending() {
      return running().of().sending
    },
    of: (appId) => running().of(appId),
    change: (served) => running().change(served),
    get log() {
      return running().log
    },
    startSchedule: () => running().startSchedule(),
    stop: async () => started?.stop(),
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
  const open = async (): Promise<void> => {
    started = await startService(
      readConfig({ ...env, ...(wechatUrl ? { WX_API_BASE_URL: wechatUrl() } : {}) }),
      { accounts: [account], ...(keys ? { keys } : {}) },
      {
        migrate: true,
        ...(now ? { now } : {}),
        ...(connections ? { connections } : {}),
      },
    )
  }
  return { service, open }
}
