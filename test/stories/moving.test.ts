import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { businessDate } from '../../src/lib/business-date.js'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/lib/durations.js'
import { audit } from '../../src/operations/audit.js'
import { expireStale } from '../../src/permits/expire.js'
import { explainUser } from '../../src/reminders/explain.js'
import { planRun } from '../../src/reminders/plan.js'
import { type RunReport, runReminders } from '../../src/reminders/run.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { findBridge } from '../../src/summaries/bridge.js'
import { findForecast } from '../../src/summaries/forecast.js'
import { all, codeIn, languagesOf, read } from '../docs/pages.js'
import { createClock } from '../helpers/clock.js'
import { APP_ID, APP_SECRET } from '../helpers/constants.js'
import { createTestDatabase, dialects, type TestDatabase } from '../helpers/database.js'
import { API_KEY, startTestService, type TestService } from '../helpers/service.js'

/** A Monday. */
const FIRST_NINE = Date.parse('2026-11-16T09:00:00+08:00')
const [OLD, NEW] = ['OLD-TEMPLATE-OF-FORM-ID', 'NEW-TEMPLATE-OF-SUBSCRIBE']
const [ANN, BOB, CLEO, DAN] = [1, 2, 3, 4]

/** The settings of each block of docs/moving.md: day 1, and the switch. */
const blocksOf = (page: string): Record<string, string>[] =>
  all(read(page), /^ *```ini\n([\s\S]*?)^ *```/gm).map((block) =>
    Object.fromEntries(
      block
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/=(.*)/s, 2) as [string, string]),
    ),
  )
const [FIRST_DAY = {}, SWITCH = {}] = blocksOf('docs/moving.md')

test.each(languagesOf('docs/moving.md'))('%s has the settings that are played here', (page) => {
  expect(blocksOf(page)).toEqual([FIRST_DAY, SWITCH])
  expect(codeIn(read(page), 'sh')).toEqual(['npm run -s cli -- bridge\n'])
})

const authorized = { headers: { authorization: `Bearer ${API_KEY}` } }
const clock = createClock(FIRST_NINE)

describe.each(dialects)('a week of moving from form_id to subscribe on %s', { tags: ['long'] }, (dialect) => {
  let database: TestDatabase
  let wechat: Sandbox
  let service: TestService

  beforeEach(async () => {
    clock.set(FIRST_NINE)
    database = await createTestDatabase(dialect)
    const templates = { [OLD]: ['keyword1', 'keyword2', 'keyword4'], [NEW]: ['thing1', 'thing2', 'date3'] }
    const pages = ['pages/sign-in/index']
    wechat = await startSandbox({
      now: clock.now,
      accounts: [{ appId: APP_ID, secret: APP_SECRET, templates, pages }],
    })
    service = await startWith(FIRST_DAY)
  })
  afterEach(async () => {
    await service.close()
    await wechat.close()
    await database.close()
  })

  const startWith = (settings: Record<string, string>): Promise<TestService> =>
    startTestService(dialect, {
      env: { ...settings, WX_API_BASE_URL: wechat.url },
      databaseUrl: () => database.url,
      now: clock.now,
    })

  async function restartWith(settings: Record<string, string>): Promise<void> {
    await service.close()
    service = await startWith(settings)
  }

  const openIdOf = (userId: number) => `oMoving_${userId}`
  let taps = 0
  /** One tap that gives a form_id, a subscription, or both, as the release of day 1 reports it. */
  async function tap(userId: number, { form = false, accept = false }): Promise<void> {
    const person = { open_id: openIdOf(userId), user_id: userId }
    if (form) {
      const form_id = wechat.control.issueFormId({ openId: person.open_id })
      expect(await service.post('/v1/form-ids', { ...person, form_id })).toMatchObject({
        body: { accepted: 1 },
      })
    }
    const result = accept ? 'accept' : 'reject'
    if (accept) wechat.control.grantSubscription({ openId: person.open_id, templateId: NEW })
    const report = { ...person, template_id: NEW, result, tap_id: `tap-${++taps}` }
    expect(await service.post('/v1/subscriptions', report)).toMatchObject({ status: 201 })
  }

  const today = () => businessDate(clock.now(), service.account.timezone)
  const run = (): Promise<RunReport> =>
    runReminders(service.sending, service.account, {
      date: today(),
      triggeredBy: 'manual',
      signal: new AbortController().signal,
    })
  const bridge = (options = {}) => findBridge(service.sending.db, service.account, options, clock.now())
  /** Whom WeChat delivered to since `from`, and on which channel. */
  const deliveries = (from = 0) =>
    wechat.control
      .ledger()
      .filter(({ at }) => at >= from)
      .map(({ open_id, channel }) => `${open_id.split('_')[1]} ${channel}`)
      .sort()

  async function expectSound(): Promise<void> {
    const { checks } = await audit(service.sending.db, clock.now(), false)
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
    expect(wechat.control.summary().repeats).toEqual([])
  }

  /** Days 1 to 6: Ann gives both, Bob form_ids alone, Cleo subscriptions alone, Dan both on the first day alone. */
  async function collectForSixDays(): Promise<void> {
    for (let day = 0; day < 6; day++) {
      clock.set(FIRST_NINE + day * DAY_MS)
      await tap(ANN, { form: true, accept: true })
      await tap(BOB, { form: true })
      await tap(CLEO, { accept: true })
      if (day === 0) await tap(DAN, { form: true, accept: true })
      clock.advance(HOUR_MS)
      expect(await run()).toMatchObject({
        state: 'done',
        delivered: day === 0 ? 3 : 2,
        due: day === 0 ? 3 : 2,
      })
    }
  }

  test('collects both beside each other, and spends form_ids alone until the switch', async () => {
    await collectForSixDays()
    expect(deliveries().every((delivery) => delivery.endsWith('form_id'))).toBe(true)
    expect(await bridge()).toMatchObject({
      template_id: NEW,
      users: { total: 4, form_id: 0, subscribe: 3, both: 0, none: 1 },
    })
    expect((await service.request('GET', `/v1/permits?user_id=${ANN}`, authorized)).body).toMatchObject({
      permits: 0,
      reason: 'none_left',
      templates: [{ template_id: NEW, permits: 6, ask: true, reason: 'few_left' }],
    })
    const old = { open_id: openIdOf(ANN), user_id: ANN, template_id: 'never-named', result: 'accept' }
    expect(await service.post('/v1/subscriptions', old)).toMatchObject({
      status: 422,
      body: { error: { code: 'unknown_template', details: { known: [NEW] } } },
    })
    await expectSound()
  })

  test('reminds nobody twice on the day of the switch, and from the next day on by subscriptions', async () => {
    await collectForSixDays()
    clock.set(FIRST_NINE + 6 * DAY_MS)
    const dayOfSwitch = clock.now()
    await tap(ANN, { form: true, accept: true })
    await tap(BOB, { form: true })
    // Two left over, which nobody will spend.
    await tap(BOB, { form: true })
    await tap(ANN, { form: true })
    expect(await bridge()).toMatchObject({
      users: { form_id: 2, subscribe: 3, both: 1 },
      run: { form_id: 2, subscribe: 3, lost: 1, gained: 2 },
    })
    clock.advance(HOUR_MS)
    expect(await run()).toMatchObject({ state: 'done', delivered: 2 })

    clock.advance(2 * HOUR_MS)
    await restartWith(SWITCH)
    const { db } = service.sending
    const ofDay = async () => (await planRun(db, service.account, today(), clock.now())).due
    expect(await ofDay()).toBe(2)
    const explain = (userId: number, date = today()) =>
      explainUser(db, { ...service.account, retentionDays: 90 }, userId, date, clock.now())
    expect(await explain(ANN)).toMatchObject({ outcome: 'reminded' })
    expect(await run()).toMatchObject({ state: 'done', delivered: 2 })
    expect(deliveries(dayOfSwitch)).toEqual(['1 form_id', '2 form_id', '3 subscribe', '4 subscribe'])
    await expectSound()

    clock.set(FIRST_NINE + 7 * DAY_MS)
    expect(await findForecast(db, service.account, { days: 1 }, clock.now())).toMatchObject({
      days: [{ reachable: 2, permits_left: 12 }],
    })
    expect(await explain(ANN)).toMatchObject({ outcome: 'will_be_reminded' })
    expect(await explain(BOB)).toMatchObject({ outcome: 'wrong_template' })
    expect(await explain(ANN, 20261121)).toMatchObject({ outcome: 'reminded' })
    clock.advance(HOUR_MS)
    expect(await run()).toMatchObject({ state: 'done', due: 2, delivered: 2 })
    expect(deliveries(clock.now())).toEqual(['1 subscribe', '3 subscribe'])

    clock.set(FIRST_NINE + 14 * DAY_MS)
    const signal = new AbortController().signal
    const swept = await expireStale(
      { ...service.sending, signal },
      { appId: APP_ID, slot: clock.now(), triggeredBy: 'cron' },
      clock.now(),
    )
    expect(swept).toMatchObject({ expired: 2 })
    expect(await bridge()).toMatchObject({ users: { form_id: 0, subscribe: 2, none: 2 } })
    await expectSound()
  })

  test('goes on with the same day on subscribe after a morning on which WeChat answered 45103', async () => {
    await tap(ANN, { form: true, accept: true })
    await tap(CLEO, { accept: true })
    clock.advance(HOUR_MS)
    const path = '/cgi-bin/message/wxopen/template/send'
    wechat.control.addFault({ kind: 'errcode', errcode: 45103, match: { path } })
    expect(await run()).toMatchObject({ state: 'halted', delivered: 0 })
    await restartWith(SWITCH)
    expect(await run()).toMatchObject({ state: 'done', due: 2, delivered: 2 })
    expect(deliveries()).toEqual(['1 subscribe', '3 subscribe'])
    await expectSound()
  })

  test('goes back on the same day: subscriptions wait, and nobody is reminded twice', async () => {
    await tap(ANN, { form: true, accept: true })
    await tap(CLEO, { accept: true })
    await restartWith(SWITCH)
    clock.advance(HOUR_MS)
    expect(await run()).toMatchObject({ delivered: 2 })
    await tap(BOB, { form: true })
    clock.advance(MINUTE_MS)
    await restartWith(FIRST_DAY)
    expect(await run()).toMatchObject({ delivered: 1 })
    clock.advance(DAY_MS)
    await tap(CLEO, { accept: true })
    expect(await run()).toMatchObject({ delivered: 1 })
    expect(deliveries()).toEqual(['1 form_id', '1 subscribe', '2 form_id', '3 subscribe'])
    await expectSound()
  })
})
