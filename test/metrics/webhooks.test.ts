import { describe, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { createMetrics } from '../../src/metrics/metrics.js'
import { APP_ID, NOW } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { readScrape } from '../helpers/scrape.js'
import { SERVICE_ENV } from '../helpers/service.js'

const account = readAccount(SERVICE_ENV)
const webhook = { url: 'http://127.0.0.1:1/', secrets: ['s'] }
const NO_TOKENS = { refreshed: 0, failed: 0, earlyDeaths: { count: 0, firstAt: undefined } }

describe.each(dialects)('the metrics of a webhook on %s', (dialect) => {
  const { db } = useDatabase(dialect)

  async function scrape(of: Partial<typeof account>) {
    const metrics = createMetrics({ version: '1.2.3' })
    const told = metrics.of({ ...account, ...of })
    told.watch({ db, now: () => NOW, tokens: () => NO_TOKENS, counters: () => ({ wrong: 0, passes: 0 }) })
    if (of.webhook) for (const end of ['delivered', 'delivered', 'failed'] as const) told.onWebhook(end)
    return readScrape(await metrics.text())
  }
  const event = (state: string, createdAt: number) =>
    db('wx_webhook_delivery').insert({
      app_id: APP_ID,
      message_id: 1,
      event: 'delivered',
      state,
      next_attempt_at: NOW,
      created_at: createdAt,
    })

  test('count attempts by what came of them, and say how long the oldest event waits', async () => {
    expect((await scrape({ webhook })).value('reminder_webhook_oldest_waiting_seconds')).toBe(0)
    await event('delivered', NOW - 90_000)
    await event('waiting', NOW - 60_000)
    await event('waiting', NOW - 30_000)
    const told = await scrape({ webhook })
    expect(told.value('reminder_webhook_oldest_waiting_seconds', { app_id: APP_ID })).toBe(60)
    const attempts = (outcome: string) => told.value('reminder_webhook_attempts_total', { outcome })
    expect(['delivered', 'retried', 'failed'].map(attempts)).toEqual([2, 0, 1])
  })

  test('have no series of an account without one', async () => {
    const told = await scrape({})
    expect(told.value('reminder_webhook_attempts_total')).toBeUndefined()
    expect(told.value('reminder_webhook_oldest_waiting_seconds')).toBeUndefined()
  })
})
