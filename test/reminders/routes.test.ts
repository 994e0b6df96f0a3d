import { describe, expect, test } from 'vitest'
import { run } from '../../src/cli/run.js'
import { businessDate, toIsoDate } from '../../src/lib/business-date.js'
import { APP_ID, DAY_MS, NOW } from '../helpers/constants.js'
import { createTestDatabase, dialects } from '../helpers/database.js'
import { API_KEY, useService } from '../helpers/service.js'

describe.each(dialects)('the runs over HTTP on %s', (dialect) => {
  const service = useService(dialect, { env: { REMINDER_TEMPLATE_ID: 'T' }, now: () => NOW })
  const get = (path: string, key = API_KEY) =>
    service.request('GET', path, { headers: { authorization: `Bearer ${key}` } })

  async function addRun(id: number, date: number, values: object = {}): Promise<void> {
    const times = { started_at: NOW, updated_at: NOW, finished_at: NOW }
    const row = { id, job: 'remind', app_id: APP_ID, slot: date, triggered_by: 'cron', state: 'done' }
    await service.db('wx_job_run').insert({ ...row, ...times, ...values })
  }

  test('answer a day with its counts summed up over the shards, and a day without a run', async () => {
    const reason = {
      reason: 'wrong secret',
      reason_zh: 'AppSecret 错误',
      cause: 'configuration',
      errcode: 40125,
    }
    await addRun(7, 20261119, { state: 'halted', ...reason })
    const outcome = { run_id: 7, first_seen_at: NOW, last_seen_at: NOW }
    const counts = [
      { ...outcome, outcome: 'claimed', shard: 1, messages: 5 },
      { ...outcome, outcome: 'unknown', shard: 1, messages: 2 },
      { ...outcome, outcome: 'unknown', shard: 2, messages: -2 },
      { ...outcome, outcome: 'delivered', template_id: 'T', shard: 2, messages: 3 },
      { ...outcome, outcome: 'cancelled', errcode: 40125, template_id: 'T', shard: 3, messages: 2 },
      { ...outcome, outcome: 'reported', cause: 'success', template_id: 'T', shard: 3, messages: 1 },
    ]
    for (const count of counts) await service.db('wx_run_outcome').insert(count)
    const { status, body } = await get('/v1/runs/2026-11-19')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      date: '2026-11-19',
      run_id: 7,
      state: 'halted',
      reason_zh: 'AppSecret 错误',
      claimed: 5,
      delivered: 3,
      unknown: 0,
      cancelled: 2,
      in_hand: 0,
      finished_at: new Date(NOW).toISOString(),
      errors: [
        { errcode: 40125, name: 'invalid_appsecret', class: 'configuration', count: 2, outcome: 'cancelled' },
      ],
      delivery_status: { success: 1 },
    })
    expect((await get('/v1/runs/2026-11-20')).body).toMatchObject({ run_id: null, state: 'not_started' })
  })

  test('answer pages of runs, each with the place where the next begins', async () => {
    for (let n = 0; n < 3; n++) await addRun(n + 1, 20261118 - n)
    const first = (await get('/v1/runs?limit=2')).body
    expect(first).toMatchObject({
      runs: [{ date: '2026-11-18' }, { date: '2026-11-17' }],
      next: '2026-11-17',
    })
    expect((await get('/v1/runs?limit=2&before=2026-11-17')).body).toMatchObject({
      runs: [{ date: '2026-11-16' }],
      next: null,
    })
    expect((await get('/v1/runs')).body).toMatchObject({ next: null })
  })

  test.each([
    ['/v1/runs/2026-02-30', 'date'],
    ['/v1/runs/today', 'date'],
    ['/v1/runs?before=2026-02-30', 'before'],
    ['/v1/runs?limit=101', 'limit'],
    ['/v1/runs?limit=0', 'limit'],
  ])('name the field that is wrong in %s', async (path, field) => {
    expect(await get(path)).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request', details: { field } } },
    })
  })

  test('are for backends with a key', async () => {
    expect((await get('/v1/runs', 'no key')).status).toBe(401)
    expect((await service.request('GET', '/v1/runs/2026-11-20')).status).toBe(401)
  })
})

test('the command status says how the day stands, in words and as one object', async () => {
  const { db, url, close } = await createTestDatabase('sqlite')
  const ask = async (...args: string[]) => {
    let text = ''
    const streams = { stdout: { write: (part: string) => (text += part) }, stderr: { write() {} } }
    const env = { DATABASE_URL: url, WX_APP_ID: APP_ID, REMINDER_TEMPLATE_ID: 'T' }
    const code = await run(['node', 'reminder', 'status', ...args], env, streams)
    expect(code).toBe(0)
    return text
  }
  try {
    const date = toIsoDate(businessDate(Date.now() - DAY_MS, 'Asia/Shanghai'))
    const row = { id: 1, job: 'remind', app_id: APP_ID, slot: Number(date.replaceAll('-', '')) }
    const ended = { state: 'paused', triggered_by: 'cron', started_at: NOW, updated_at: NOW }
    const why = { reason: 'quota is used up', reason_zh: '额度已用完', cause: 'quota', errcode: 45009 }
    await db('wx_job_run').insert({ ...row, ...ended, ...why, skipped_signed_in: 4, skipped_at: NOW })
    const outcome = { run_id: 1, shard: 0, first_seen_at: NOW, last_seen_at: NOW, sample_rid: 'rid-1' }
    await db('wx_run_outcome').insert({ ...outcome, outcome: 'cancelled', errcode: 45009, messages: 3 })
    const words = await ask('--date', date)
    for (const part of [
      'paused',
      '额度已用完',
      '怎么办',
      '3 given back',
      '4 signed in',
      '45009 daily_quota',
      'rid-1',
    ])
      expect(words).toContain(part)
    const answer = JSON.parse(await ask('--date', date, '--json'))
    expect(answer).toMatchObject({ date, state: 'paused', cancelled: 3, skipped: { signed_in: 4 } })
    expect(JSON.parse(await ask('--json'))).toMatchObject({ run_id: null })
  } finally {
    await close()
  }
})
