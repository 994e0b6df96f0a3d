import { describe, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { execute } from '../../src/db/sql.js'
import { createMetrics } from '../../src/metrics/metrics.js'
import { closeRun, openRun } from '../../src/runs/occurrences.js'
import { addOutcomes } from '../../src/runs/outcomes.js'
import type { RunState } from '../../src/runs/run.js'
import { APP_ID, HOUR_MS, NOW, TODAY } from '../helpers/constants.js'
import { dialects, useDatabase } from '../helpers/database.js'
import { readScrape, type Scrape } from '../helpers/scrape.js'
import { SERVICE_ENV } from '../helpers/service.js'

const account = readAccount(SERVICE_ENV)
const NO_TOKENS = { refreshed: 0, failed: 0, earlyDeaths: { count: 0, firstAt: undefined } }

describe.each(dialects)('what the metrics read on %s', (dialect) => {
  const { db } = useDatabase(dialect)

  /** As a process that has just started tells it. */
  async function scrape(): Promise<Scrape> {
    const metrics = createMetrics({ version: '1.2.3' })
    metrics
      .of(account)
      .watch({ db, now: () => NOW, tokens: () => NO_TOKENS, counters: () => ({ wrong: 3, passes: 2 }) })
    return readScrape(await metrics.text())
  }

  async function run(slot: number, state: RunState, endedAt: number, job = 'remind'): Promise<void> {
    const at = endedAt - HOUR_MS
    const { run } = await openRun(
      db,
      { job, appId: APP_ID, slot },
      { triggeredBy: 'cron', state: 'running' },
      at,
    )
    if (state !== 'running') await closeRun(db, run.id, { state, reason: null }, endedAt)
  }
  const lastSuccess = (told: Scrape, job = 'remind') =>
    told.value('reminder_job_last_success_timestamp_seconds', { app_id: APP_ID, task: job })

  test('an account without a run has no state and no last success', async () => {
    const told = await scrape()
    expect(told.value('reminder_database_up')).toBe(1)
    expect(told.value('reminder_run_state')).toBeUndefined()
    expect(lastSuccess(told)).toBeUndefined()
    expect(told.value('reminder_claims')).toBe(0)
    expect(told.value('reminder_books_drift_users', { app_id: APP_ID })).toBe(3)
    expect(told.value('reminder_books_check_passes_total')).toBe(2)
    expect(told.value('reminder_build_info', { version: '1.2.3' })).toBe(1)
  })

  test.each<RunState>(['running', 'done', 'halted', 'paused', 'limited', 'window_closed', 'missed'])(
    'the newest run is shown as %s, and as nothing else',
    async (state) => {
      await run(TODAY - 1, state === 'done' ? 'halted' : 'done', NOW - 24 * HOUR_MS)
      await run(TODAY, state, NOW)
      const told = await scrape()
      const shown = told.samples.filter(({ name, value }) => name === 'reminder_run_state' && value === 1)
      expect(shown.map(({ labels }) => labels)).toEqual([{ app_id: APP_ID, state }])
      expect(told.value('reminder_run_started_timestamp_seconds')).toBe((NOW - HOUR_MS) / 1_000)
      expect(told.value('reminder_run_window_end_timestamp_seconds')).toBe(
        Date.parse('2026-11-20T22:00:00+08:00') / 1_000,
      )
    },
  )

  test('the last success is that of the newest day that was done, whatever came after it', async () => {
    await run(TODAY - 2, 'done', NOW - 48 * HOUR_MS)
    await run(TODAY - 1, 'halted', NOW - 24 * HOUR_MS)
    await run(TODAY, 'limited', NOW)
    expect(lastSuccess(await scrape())).toBe((NOW - 48 * HOUR_MS) / 1_000)
  })

  test('runs of which none was done have their last success in 1970, so that any alert goes off', async () => {
    await run(TODAY, 'halted', NOW)
    expect(lastSuccess(await scrape())).toBe(0)
  })

  test('the sweep and the purge have their last success too', async () => {
    await run(NOW, 'done', NOW, 'expire')
    await run(TODAY, 'done', NOW - HOUR_MS, 'purge')
    const told = await scrape()
    expect([lastSuccess(told, 'expire'), lastSuccess(told, 'purge')]).toEqual([
      NOW / 1_000,
      (NOW - HOUR_MS) / 1_000,
    ])
  })

  test('a run of another account is not shown', async () => {
    await openRun(
      db,
      { job: 'remind', appId: 'wx-other', slot: TODAY },
      { triggeredBy: 'cron', state: 'halted' },
      NOW,
    )
    expect((await scrape()).value('reminder_run_state')).toBeUndefined()
  })

  test('the messages of the newest run are counted by their outcome', async () => {
    await run(TODAY - 1, 'done', NOW - 24 * HOUR_MS)
    await run(TODAY, 'running', NOW)
    const runs = await db('wx_job_run').orderBy('id')
    const change = { errcode: null, cause: '', templateId: 't' }
    await db.transaction((trx) =>
      addOutcomes(
        trx,
        [
          { ...change, runId: runs[0].id, outcome: 'delivered', messages: 7 },
          { ...change, runId: runs[1].id, outcome: 'delivered', messages: 3 },
          { ...change, runId: runs[1].id, outcome: 'failed', messages: 1, errcode: 43101 },
          { ...change, runId: runs[1].id, outcome: 'failed', messages: 1, errcode: 40003 },
        ],
        NOW,
      ),
    )
    const told = await scrape()
    const of = (outcome: string) => told.value('reminder_run_messages', { app_id: APP_ID, outcome })
    expect([of('delivered'), of('failed'), of('unknown')]).toEqual([3, 2, 0])
  })

  test('the stock of permits is that of the last summary, over all templates', async () => {
    const row = { app_id: APP_ID, users: 1, as_of: NOW }
    await db('wx_permit_stock').insert([
      { ...row, source: 'form', template_id: '', days_left: 3, permits: 5 },
      { ...row, source: 'subscribe', template_id: 't1', days_left: -1, permits: 2 },
      { ...row, source: 'subscribe', template_id: 't2', days_left: -1, permits: 4 },
      { ...row, app_id: 'wx-other', source: 'form', template_id: '', days_left: 3, permits: 100 },
    ])
    await db('wx_day_summary').insert([
      {
        app_id: APP_ID,
        day: TODAY - 1,
        granted_form: 50,
        granted_pay: 0,
        granted_subscribe: 0,
        spent: 40,
        expired: 9,
      },
      {
        app_id: APP_ID,
        day: TODAY,
        granted_form: 5,
        granted_pay: 3,
        granted_subscribe: 1,
        spent: 4,
        expired: 2,
      },
    ])
    const told = await scrape()
    const permits = (labels: Record<string, string>) => told.value('reminder_permits', labels)
    expect(permits({ source: 'form', days_left: '3' })).toBe(5)
    expect(permits({ source: 'subscribe', days_left: 'never' })).toBe(6)
    expect(permits({ app_id: APP_ID })).toBe(11)
    const ofDay = (state: string) => told.value('reminder_permits_of_day', { app_id: APP_ID, state })
    expect([ofDay('granted'), ofDay('spent'), ofDay('expired')]).toEqual([9, 4, 2])
  })

  test('who can be reached in so many days is told from today on, however old the forecast is', async () => {
    const day = { app_id: APP_ID, made_on: TODAY - 1, permits_left: 0, going_dark: 0, as_of: NOW - HOUR_MS }
    await db('wx_forecast_day').insert(
      Array.from({ length: 12 }, (_, i) => ({ ...day, day: TODAY - 1 + i, position: i, reachable: 100 - i })),
    )
    await db('wx_forecast_day').insert({ ...day, made_on: TODAY - 2, day: TODAY, position: 2, reachable: 1 })
    const told = await scrape()
    const inDays = (in_days: string) => told.value('reminder_reachable_users', { app_id: APP_ID, in_days })
    expect([inDays('0'), inDays('1'), inDays('7'), inDays('8'), inDays('-1')]).toEqual([
      99,
      98,
      92,
      undefined,
      undefined,
    ])
    expect(told.value('reminder_forecast_timestamp_seconds')).toBe((NOW - HOUR_MS) / 1_000)
  })

  test('claims that lapsed are told from those that are held', async () => {
    for (const until of [1, 2, 9e15])
      await execute(db, 'INSERT INTO wx_claim (app_id, lease_until, created_at) VALUES (?, ?, 1)', [
        APP_ID,
        until,
      ])
    const told = await scrape()
    expect(told.value('reminder_claims', { state: 'lapsed' })).toBe(2)
    expect(told.value('reminder_claims', { state: 'held' })).toBe(1)
  })
})
