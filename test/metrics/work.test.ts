import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { execute } from '../../src/db/sql.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { claimAll } from '../helpers/claims.js'
import { createClock } from '../helpers/clock.js'
import { APP_ID, APP_SECRET, NOW, SEND_PATH, SUBSCRIBE_PATH, TEMPLATE_ID } from '../helpers/constants.js'
import { type Dialect, dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { promtool } from '../helpers/promtool.js'
import { grown, readScrape, type Scrape } from '../helpers/scrape.js'
import { startTestService, type TestService } from '../helpers/service.js'
import { openIdOf } from '../helpers/users.js'
import type { World } from '../helpers/world.js'

const TOKEN_PATH = '/cgi-bin/stable_token'
const CALLBACK_TOKEN = 'TokenOfTheTests2026'

const clock = createClock(NOW)
let wechat: Sandbox
let service: TestService

beforeAll(async () => {
  const accounts = [{ appId: APP_ID, secret: APP_SECRET, templates: { [TEMPLATE_ID]: ['thing1'] } }]
  wechat = await startSandbox({ now: clock.now, accounts })
})
afterAll(() => wechat.close())

function start(dialect: Dialect, channel: 'form_id' | 'subscribe'): Promise<TestService> {
  return startTestService(dialect, {
    now: clock.now,
    wechatUrl: () => wechat.url,
    env: {
      WX_CHANNEL: channel,
      WX_CALLBACK_TOKEN: CALLBACK_TOKEN,
      SESSION_SECRET: 'c29tZXRoaW5nLXJhbmRvbS1mb3ItYS10ZXN0',
      REMINDER_TEMPLATE_ID: TEMPLATE_ID,
      REMINDER_DATA: '{"thing1":"每日签到"}',
    },
  })
}

async function scrape(): Promise<Scrape> {
  const { status, text } = await service.request('GET', '/metrics')
  expect(status).toBe(200)
  return readScrape(text)
}

/** How much each number grows while something is done. */
async function growth(work: () => Promise<unknown>) {
  const before = await scrape()
  await work()
  const after = await scrape()
  return (name: string, labels?: Record<string, string>) => grown(before, after, `reminder_${name}`, labels)
}

async function upload(userIds: number[]): Promise<void> {
  const items = userIds.map((id) => {
    const openId = openIdOf(id)
    return { open_id: openId, user_id: id, form_id: wechat.control.issueFormId({ openId }) }
  })
  expect((await service.post('/v1/form-ids', { items })).status).toBe(201)
}

async function subscribe(userIds: number[]): Promise<void> {
  for (const id of userIds)
    wechat.control.grantSubscription({ openId: openIdOf(id), templateId: TEMPLATE_ID })
  const items = userIds.map((id) => ({
    open_id: openIdOf(id),
    user_id: id,
    template_id: TEMPLATE_ID,
    result: 'accept',
  }))
  expect((await service.post('/v1/subscriptions', { items })).status).toBe(201)
}

/** The schedule reminds, until the run of the day is as wanted. */
async function remind(state = 'done'): Promise<void> {
  service.startSchedule()
  await eventually(`the run is ${state}`, async () => {
    const [run] = await service.db('wx_job_run').where({ job: 'remind' })
    return run?.state === state
  })
}

describe.each(dialects)('a service that works on %s', (dialect) => {
  beforeEach(() => {
    clock.run(0)
    clock.set(NOW)
    wechat.control.reset()
  })
  afterEach(() => service.close())

  test('counts each upload under its outcome and reason, and the sizes of batches', async () => {
    service = await start(dialect, 'form_id')
    const item = (form_id: string | null) => ({ open_id: openIdOf(1), user_id: 1, form_id })
    const by = await growth(async () => {
      await upload([1, 2, 3])
      await service.post('/v1/form-ids', { items: [item('F1'), item('F1'), item(null), item('null')] })
      await service.post('/v1/form-ids', { open_id: openIdOf(1), user_id: 1, prepay_id: 'wx2026' })
      await service.post('/v1/form-ids', item('F1'), { authorization: 'Bearer wrong-key-00000001' })
    })
    expect({
      accepted: by('uploads_total', { source: 'form', outcome: 'accepted' }),
      duplicate: by('uploads_total', { source: 'form', outcome: 'duplicate' }),
      empty: by('uploads_total', { source: 'form', reason: 'empty' }),
      pay: by('uploads_total', { source: 'pay', outcome: 'accepted' }),
      all: by('uploads_total'),
    }).toEqual({ accepted: 4, duplicate: 1, empty: 2, pay: 1, all: 8 })
    expect([by('upload_batch_permits_count'), by('upload_batch_permits_sum')]).toEqual([3, 8])
    expect([by('group_commit_permits_count'), by('group_commit_permits_sum')]).toEqual([3, 6])
    expect(by('group_commit_duration_seconds_count')).toBe(3)
    const route = { method: 'POST', route: '/v1/form-ids' }
    expect(by('http_requests_total', { ...route, code: '201' })).toBe(3)
    expect(by('http_requests_total', { ...route, code: '401' })).toBe(1)
    expect(by('http_request_duration_seconds_count', route)).toBe(4)
    expect(by('auth_failures_total', { area: 'api', reason: 'key' })).toBe(1)
    const statements = (statement: string) =>
      by('database_statement_duration_seconds_count', { statement }) ?? 0
    // MariaDB commits an upload in one block.
    expect(statements('commit') + statements('block')).toBeGreaterThanOrEqual(3)
  })

  test('counts claims, sends by class and name, retries and verdicts of a run', async () => {
    service = await start(dialect, 'form_id')
    await upload([1, 2, 3, 4, 5])
    wechat.control.addFault({ kind: 'errcode', errcode: -1, match: { path: SEND_PATH }, times: 1 })
    // The retry is due within seconds of this clock.
    clock.run(10)
    const by = await growth(() => remind())
    expect({
      claimed: by('claimed_users_total'),
      ok: by('sends_total', { channel: 'form_id', class: 'ok', code: 'ok' }),
      busy: by('sends_total', { channel: 'form_id', class: 'transient', code: 'system_busy' }),
      retries: by('send_retries_total', { channel: 'form_id' }),
      delivered: by('messages_settled_total', { state: 'delivered' }),
      retry: by('messages_settled_total', { state: 'retry' }),
      failed: by('messages_settled_total', { state: 'failed' }),
      due: by('messages_taken_over_total', { why: 'due' }),
    }).toEqual({ claimed: 5, ok: 5, busy: 1, retries: 1, delivered: 5, retry: 1, failed: 0, due: 1 })
    expect(by('claim_duration_seconds_count')).toBeGreaterThanOrEqual(1)
    expect(by('wechat_request_duration_seconds_count', { endpoint: 'template_send' })).toBe(6)
    expect(by('wechat_request_duration_seconds_count', { endpoint: 'token' })).toBe(1)
    expect(by('token_refreshes_total', { result: 'refreshed' })).toBe(1)
  })

  test('counts on the channel subscribe, and what WeChat tells in events', async () => {
    service = await start(dialect, 'subscribe')
    wechat.control.configureCallback({
      token: CALLBACK_TOKEN,
      encodingAesKey: '',
      url: `${service.url}/wechat/callback`,
      mode: 'plain',
      format: 'json',
    })
    // An event waits for a user who is not known yet.
    clock.run(10)
    wechat.control.addFault({ kind: 'errcode', errcode: 43101, match: { path: SUBSCRIBE_PATH }, times: 1 })
    const by = await growth(async () => {
      await subscribe([1, 2, 3])
      await remind()
      await wechat.control.sendPushes()
      await eventually('the events are worked off', async () => {
        const open = await service.db('wx_callback_event').whereNot({ state: 'done' })
        const events = await service.db('wx_callback_event')
        return events.length > 0 && open.length === 0
      })
      await service.request('POST', '/wechat/callback?signature=00&timestamp=1&nonce=2', { body: '{}' })
    })
    const events = await service.db('wx_callback_event')
    expect({
      subscribed: by('uploads_total', { source: 'subscribe', outcome: 'accepted' }),
      ok: by('sends_total', { channel: 'subscribe', class: 'ok' }),
      refused: by('sends_total', { channel: 'subscribe', class: 'user', code: 'user_refused' }),
      delivered: by('messages_settled_total', { state: 'delivered' }),
      failed: by('messages_settled_total', { state: 'failed' }),
      events: by('callback_events_received_total'),
      forged: by('auth_failures_total', { area: 'callback' }),
    }).toEqual({
      subscribed: 3,
      ok: 2,
      refused: 1,
      delivered: 2,
      failed: 1,
      events: events.length,
      forged: 1,
    })
    expect(
      by('callback_events_worked_total', { event: 'subscribe_msg_sent_event', outcome: 'delivered' }),
    ).toBe(2)
  })

  test('counts what it takes over from a process that was killed', async () => {
    service = await start(dialect, 'form_id')
    await upload([1, 2, 3])
    await claimAll({ db: service.db, account: service.account, clock } as World)
    await execute(service.db, 'UPDATE wx_claim SET lease_until = 1')
    const left = await service.db('wx_claim')
    expect((await scrape()).value('reminder_claims', { state: 'lapsed' })).toBe(left.length)
    const by = await growth(() => remind())
    expect({
      lapsed: by('messages_taken_over_total', { why: 'lapsed' }),
      due: by('messages_taken_over_total', { why: 'due' }),
      claimed: by('claimed_users_total'),
      delivered: by('messages_settled_total', { state: 'delivered' }),
    }).toEqual({ lapsed: 3, due: 0, claimed: 0, delivered: 3 })
  })

  test('counts a token that another program killed', async () => {
    service = await start(dialect, 'form_id')
    await upload([1])
    wechat.control.addFault({ kind: 'token_dead', match: { path: SEND_PATH }, times: 1 })
    const by = await growth(() => remind())
    expect({
      refreshed: by('token_refreshes_total', { result: 'refreshed' }),
      failed: by('token_refreshes_total', { result: 'failed' }),
      early: by('token_early_deaths_total'),
    }).toEqual({ refreshed: 2, failed: 0, early: 1 })
  })

  test('counts a refresh that brings no token, and the answer of those who wanted to send', async () => {
    service = await start(dialect, 'form_id')
    await upload([1])
    wechat.control.addFault({ kind: 'errcode', errcode: 40125, match: { path: TOKEN_PATH } })
    const by = await growth(() => remind('halted'))
    expect(by('token_refreshes_total', { result: 'refreshed' })).toBe(0)
    expect(by('token_refreshes_total', { result: 'failed' })).toBe(1)
    expect(by('sends_total', { class: 'configuration', code: 'invalid_appsecret' })).toBe(1)
    expect(by('messages_settled_total', { state: 'cancelled' })).toBe(1)
  })

  test('shows no more series after a stranger has asked for a thousand paths', async () => {
    service = await start(dialect, 'form_id')
    await service.request('GET', '/nowhere')
    const before = await scrape()
    for (let i = 0; i < 100; i++) await service.request('GET', `/nowhere/${i}?x=${i}`)
    const after = await scrape()
    const http = ({ samples }: Scrape) => samples.filter(({ name }) => name.startsWith('reminder_http'))
    expect(grown(before, after, 'reminder_http_requests_total', { route: 'none', code: '404' })).toBe(100)
    expect(after.text).not.toContain('nowhere')
    expect(http(after).length - http(before).length).toBeLessThan(20)
  })

  test.each(['form_id', 'subscribe'] as const)(
    'passes promtool check metrics after work on %s, and tells no secret and no open_id',
    { tags: ['programs'] },
    async (channel) => {
      service = await start(dialect, channel)
      await upload([1, 2])
      await subscribe([1, 2])
      await remind()
      const told = await scrape()
      expect(told.value('reminder_sends_total', { channel, class: 'ok' })).toBe(2)
      expect(promtool(['check', 'metrics'], told.text)).toEqual({ code: 0, said: '' })
      for (const secret of [APP_SECRET, openIdOf(1), 'access_token']) expect(told.text).not.toContain(secret)
    },
  )
})
