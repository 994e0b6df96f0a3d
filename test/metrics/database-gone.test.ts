import type { Knex } from 'knex'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { openDatabase } from '../../src/db/connect.js'
import { createMetrics } from '../../src/metrics/metrics.js'
import { createTestDatabase, type TestDatabase } from '../helpers/database.js'
import { readScrape, type Scrape } from '../helpers/scrape.js'
import { SERVICE_ENV } from '../helpers/service.js'
import { timed } from '../helpers/stopwatch.js'
import { startTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.js'

// @module-tag mysql

const TOKENS = { refreshed: 4, failed: 0, earlyDeaths: { count: 0, firstAt: undefined } }

let database: TestDatabase
let line: TcpProxy
let db: Knex

beforeAll(async () => {
  database = await createTestDatabase('mysql')
  line = await startTcpProxy(database.url)
  db = openDatabase(line.url)
})
beforeEach(() => line.mend())
afterAll(async () => {
  await db.destroy()
  await line.close()
  await database.close()
})

/** What a process that has read nothing yet tells, and after how long; and then once more. */
async function scrapes(): Promise<{ first: Scrape & { ms: number }; second: Scrape & { ms: number } }> {
  const metrics = createMetrics({ version: '0' })
  metrics
    .of(readAccount(SERVICE_ENV))
    .watch({ db, now: Date.now, tokens: () => TOKENS, counters: () => ({ wrong: 0, passes: 0 }) })
  const scrape = async () => {
    const { result: text, ms } = await timed(() => metrics.text())
    return { ...readScrape(text), ms }
  }
  return { first: await scrape(), second: await scrape() }
}

test('a database that answers shows as 1, and its pool is counted', async () => {
  const { first, second } = await scrapes()
  expect(first.value('reminder_database_up')).toBe(1)
  expect(first.value('reminder_database_pool_connections', { state: 'free' })).toBeGreaterThan(0)
  expect(first.value('reminder_database_pool_max_connections')).toBe(10)
  expect(second.ms).toBeLessThan(500)
})

test('a database that refuses shows as 0, and what is known without it is told all the same', async () => {
  line.cut()
  const { first, second } = await scrapes()
  for (const told of [first, second]) {
    expect(told.value('reminder_database_up')).toBe(0)
    expect(told.value('reminder_token_refreshes_total', { result: 'refreshed' })).toBe(4)
    expect(told.value('reminder_run_state')).toBeUndefined()
  }
  expect(second.ms).toBeLessThan(500)
})

test('a database that hangs shows as 0 after a second, and later scrapes do not wait for it', async () => {
  await scrapes()
  line.hang()
  const { first, second } = await scrapes()
  expect(first.value('reminder_database_up')).toBe(0)
  expect(first.ms).toBeLessThan(2_000)
  expect(second.value('reminder_database_up')).toBe(0)
  expect(second.ms).toBeLessThan(500)
  line.cut()
})
