import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { createClock } from '../helpers/clock.js'
import { DAY_MS, HOUR_MS } from '../helpers/constants.js'
import { API_KEY, useService } from '../helpers/service.js'
import { startTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.js'
import { Phone, type Reminder } from './phone.js'

const START = Date.parse('2026-11-20T09:00:00+08:00')
const PAGE = 'pages/sign-in/index'
const TEMPLATE = 'template-of-reminders'
const SECOND = 1_000

const SESSIONS = { USER_IDS: 'auto', SESSION_SECRET: 'a-secret-of-32-letters-or-a-few-more' }

const clock = createClock(START)
let wechat: Sandbox
beforeAll(async () => {
  wechat = await startSandbox({ now: clock.now })
})
afterAll(() => wechat.close())
const service = useService('sqlite', {
  env: { ...SESSIONS, TEMPLATES: `${TEMPLATE},template-of-prizes` },
  wechatUrl: () => wechat.url,
  now: clock.now,
  keepRows: true,
})
/** The line between the phone and the service. */
let line: TcpProxy
let openId: string
let phone: Phone
let app: Reminder

beforeAll(async () => {
  line = await startTcpProxy(service.url)
})
afterAll(() => line.close())

/** Each test is about a person of its own, with a phone of their own. */
beforeEach(() => {
  openId = `oKit_${randomUUID()}`
  clock.set(START)
  phone = newPhone(new URL(line.url).origin)
  app = phone.startApp()
})
afterEach(() => {
  line.mend()
  phone.killApp()
})

function newPhone(serviceUrl: string): Phone {
  return new Phone({
    serviceUrl,
    now: clock.now,
    loginCode: () => wechat.control.issueLoginCode({ openId }),
  })
}

const formId = () => randomUUID().replaceAll('-', '')

/** What the service has of this person. */
async function books({ db } = service) {
  const permits = await selectRows<{ form_id: string; expire: number; source: string }>(
    db,
    'SELECT form_id, expire, source FROM wx_save_form_id WHERE open_id = ? ORDER BY id',
    [openId],
  )
  const [counter] = await selectRows<{ count: number }>(
    db,
    `SELECT s.count FROM wx_message_push_status s JOIN wx_user u ON u.app_id = s.app_id AND u.user_id = s.user_id
     WHERE u.open_id = ?`,
    [openId],
  )
  return { permits, formIds: permits.map(({ form_id }) => form_id), count: counter?.count ?? 0 }
}

describe('a session', () => {
  test('a session is opened once, kept through restarts, and all that says who the user is', async () => {
    app.addFormId(formId(), PAGE)
    await phone.settled()
    app = phone.startApp()
    app.addFormId(formId(), PAGE)
    await phone.settled()
    expect(phone.sentTo('/v1/sessions')).toHaveLength(1)
    const uploads = phone.sentTo('/v1/form-ids')
    expect(uploads.map(({ status }) => status)).toEqual([201, 201])
    for (const { authorization, data } of uploads) {
      expect(authorization).toMatch(/^Bearer ey/)
      expect(JSON.stringify(data)).not.toMatch(/open_id|user_id/)
    }
    expect((await books()).count).toBe(2)
  })

  test('a cold start knows that the user has signed in, and not on the next day', async () => {
    expect(await app.today()).toMatchObject({ ok: true, signedIn: false, streak: 0, streakBefore: 0 })
    await app.signIn()
    const restarted = phone.startApp()
    expect(await restarted.today()).toMatchObject({ ok: true, signedIn: true, streak: 1, streakBefore: 0 })
    clock.advance(DAY_MS)
    expect(await restarted.today()).toMatchObject({ ok: true, signedIn: false, streak: 0, streakBefore: 1 })
    phone.goOffline()
    expect(await restarted.today()).toEqual({ ok: false })
  })

  test('a session is renewed when it has expired, once for all calls at the same time', async () => {
    await app.signIn()
    clock.advance(365 * DAY_MS)
    app.addFormId(formId(), PAGE)
    const [signIn] = await Promise.all([app.signIn(), app.signIn()])
    await phone.settled()
    expect(signIn).toMatchObject({ ok: true, streak: 1 })
    expect(phone.sent.filter(({ status }) => status === 401)).toHaveLength(3)
    expect(phone.sentTo('/v1/sessions')).toHaveLength(2)
    expect(phone.pending()).toEqual([])
  })

  test('a session that is refused again when it is new is tried again later, not at once', async () => {
    phone.interfere = ({ path }) => (path === '/v1/form-ids' ? { statusCode: 401 } : undefined)
    app.addFormId(formId(), PAGE)
    await phone.settled()
    expect(phone.sentTo('/v1/form-ids')).toHaveLength(2)
    expect(phone.timers).toHaveLength(1)
    phone.interfere = () => undefined
    phone.runTimers()
    await phone.settled()
    expect(phone.pending()).toEqual([])
  })
})

describe('what was collected', () => {
  test('offline is uploaded when the network is back, with the age that it has', async () => {
    await app.whatToAsk([])
    phone.goOffline()
    const id = formId()
    app.addFormId(id, PAGE)
    await phone.settled()
    clock.advance(5 * HOUR_MS)
    phone.goOnline()
    await phone.settled()
    expect(phone.pending()).toEqual([])
    expect((await books()).permits).toEqual([{ form_id: id, expire: START + 7 * DAY_MS, source: 'form' }])
    phone.expectHints()
  })

  test('waits longer and longer while the service is down, and goes up when it is back', async () => {
    line.cut()
    app.addFormId(formId(), PAGE)
    for (const ceiling of [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
      await phone.settled()
      const [wait] = phone.runTimers()
      expect(wait).toBeGreaterThanOrEqual((ceiling / 2) * SECOND)
      expect(wait).toBeLessThanOrEqual(ceiling * SECOND)
    }
    line.mend()
    await phone.settled()
    phone.runTimers()
    await phone.settled()
    expect((await books()).count).toBe(1)
    expect(phone.pending()).toEqual([])
    expect(phone.timers).toEqual([])
  })

  test('survives the end of the app', async () => {
    phone.goOffline()
    const id = formId()
    app.addFormId(id, PAGE)
    app = phone.startApp()
    phone.goOnline()
    app.wake()
    await phone.settled()
    expect((await books()).formIds).toEqual([id])
  })

  test('counts once if the app dies between the upload and its removal', async () => {
    phone.interfere = ({ path }) => {
      if (path !== '/v1/form-ids' && path !== '/v1/subscriptions') return undefined
      return 'answer lost'
    }
    app.addFormId(formId(), PAGE)
    await phone.settled()
    app = phone.startApp()
    app.wake()
    await phone.settled()
    expect((await books()).count).toBe(1)
    expect(phone.pending()).toHaveLength(1)
    phone.interfere = () => undefined
    app = phone.startApp()
    app.wake()
    await phone.settled()
    expect((await books()).count).toBe(1)
    expect(phone.pending()).toEqual([])
  })

  test('goes up in batches, one request at a time, from however many pages', async () => {
    let under = 0
    let most = 0
    const { request } = phone.wx
    phone.wx.request = (option) => {
      most = Math.max(most, ++under)
      const { success, fail } = option
      request({
        ...option,
        success: (result) => {
          under--
          success(result)
        },
        fail: (result) => {
          under--
          fail(result)
        },
      })
    }
    const ids = Array.from({ length: 120 }, formId)
    // Two pages share the app's one object.
    for (const id of ids) app.addFormId(id, PAGE)
    await phone.settled()
    expect(most).toBe(1)
    expect(phone.sentTo('/v1/sessions')).toHaveLength(1)
    expect(phone.sentTo('/v1/form-ids').map(({ data }) => data.items?.length)).toEqual([
      20, 20, 20, 20, 20, 20,
    ])
    expect((await books()).formIds.toSorted()).toEqual(ids.toSorted())
  })

  test('what was collected is bounded: of thousands the youngest are kept, and accepted subscriptions before all', () => {
    phone.goOffline()
    app.addSubscription({ id: 'tap-1', at: clock.now() }, TEMPLATE, 'accept')
    for (let i = 0; i < 3_000; i++) {
      clock.advance(1)
      app.addFormId(`form-id-${i}`, PAGE)
    }
    const pending = phone.pending()
    expect(pending).toHaveLength(200)
    expect(pending[0]).toMatchObject({ kind: 'subscription', tap_id: 'tap-1' })
    expect(pending[1]).toMatchObject({ form_id: 'form-id-2801' })
    expect(pending.at(-1)).toMatchObject({ form_id: 'form-id-2999' })
  })

  test('what was collected is uploaded though storage is full', async () => {
    phone.storageLimit = 10
    expect(app.addFormId(formId(), PAGE)).toBe(true)
    await phone.settled()
    expect((await books()).count).toBe(1)
    phone.expectHints(/storage is full/)
    expect(phone.sentTo('/v1/form-ids')).toHaveLength(1)
  })

  test('what was collected is dropped when WeChat takes it no more', async () => {
    phone.goOffline()
    const [old, young] = [formId(), formId()]
    app.addFormId(old, PAGE)
    await phone.settled()
    clock.advance(3 * DAY_MS)
    app.addFormId(young, PAGE)
    clock.advance(4 * DAY_MS + 1)
    phone.goOnline()
    await phone.settled()
    expect((await books()).formIds).toEqual([young])
    phone.expectHints(/older than 7 days/)
    expect(phone.sentTo('/v1/form-ids').flatMap(({ data }) => data.items)).toHaveLength(1)
  })

  test('what was collected is left out when storage holds something else than this kit put there', async () => {
    phone.storage.set(
      'reminder.outbox',
      JSON.stringify([
        null,
        'x',
        { kind: 'form_id' },
        { kind: 'form_id', form_id: 'f1', page: PAGE, at: clock.now() },
      ]),
    )
    app = phone.startApp()
    app.wake()
    await phone.settled()
    expect((await books()).formIds).toEqual(['f1'])
    phone.storage.set('reminder.outbox', '{"a":1}')
    phone.startApp().wake()
    await phone.settled()
    expect(phone.hints).toEqual([])
  })
})

describe('an accepted subscription', () => {
  test('counts once for each tap, however often its upload is repeated', async () => {
    phone.interfere = ({ path }) => (path === '/v1/subscriptions' ? 'answer lost' : undefined)
    app.addSubscription(app.newTap(), TEMPLATE, 'accept')
    app.addSubscription(app.newTap(), TEMPLATE, 'accept')
    await phone.settled()
    app = phone.startApp()
    app.wake()
    await phone.settled()
    phone.interfere = () => undefined
    phone.runTimers()
    await phone.settled()
    expect(phone.sentTo('/v1/subscriptions').length).toBeGreaterThan(2)
    const { permits, count } = await books()
    expect(permits.map(({ source }) => source)).toEqual(['subscribe', 'subscribe'])
    expect(count).toBe(2)
    expect(phone.pending()).toEqual([])
  })

  test('an accepted subscription of one tap on two templates is two messages', async () => {
    const tap = app.newTap()
    app.addSubscription(tap, TEMPLATE, 'accept')
    app.addSubscription(tap, 'template-of-prizes', 'acceptWithAudio')
    await phone.settled()
    expect((await books()).count).toBe(2)
    phone.expectHints()
  })

  test('an accepted subscription is told with the time of its tap, though it is uploaded days later from a phone with a wrong clock', async () => {
    phone.clockAhead = -3 * DAY_MS
    phone.goOffline()
    app.addSubscription(app.newTap(), TEMPLATE, 'accept')
    await phone.settled()
    clock.advance(2 * DAY_MS)
    phone.goOnline()
    await phone.settled()
    const [row] = await selectRows<{ tapped_at: number }>(
      service.db,
      'SELECT tapped_at FROM wx_save_form_id WHERE open_id = ?',
      [openId],
    )
    expect(Math.abs((row?.tapped_at ?? 0) - START)).toBeLessThanOrEqual(SECOND)
  })
})

test('the service says which templates to ask for, until a week of each is covered', async () => {
  const prizes = 'template-of-prizes'
  expect((await app.whatToAsk(['old'])).templateIds).toEqual([TEMPLATE, prizes])
  for (let i = 0; i < 7; i++) app.addSubscription(app.newTap(), TEMPLATE, 'accept')
  app.addSubscription(app.newTap(), prizes, 'reject')
  await phone.settled()
  expect((await app.whatToAsk([])).templateIds).toEqual([prizes])
  expect((await books()).count).toBe(7)
  phone.goOffline()
  expect(await app.whatToAsk(['old'])).toEqual({ formId: true, templateIds: ['old'] })
})

test('a template that the service does not use is dropped, and the console says what to do', async () => {
  app.addSubscription(app.newTap(), 'old', 'accept')
  await phone.settled()
  expect(phone.pending()).toEqual([])
  phone.expectHints(/unknown_template: .*TEMPLATES/)
})

test('asking is useful until a week of reminders is covered', async () => {
  expect(await app.whatToAsk([])).toMatchObject({ formId: true })
  for (let i = 0; i < 6; i++) app.addFormId(formId(), PAGE)
  await phone.settled()
  expect(await app.whatToAsk([])).toMatchObject({ formId: true })
  app.addFormId(formId(), PAGE)
  await phone.settled()
  expect(await app.whatToAsk([])).toMatchObject({ formId: false })
})

describe('a phone whose clock is wrong', () => {
  test.each([
    ['ten days behind', -10 * DAY_MS],
    ['ten days ahead', 10 * DAY_MS],
  ])('by being %s keeps the true age of a formId', async (_, ahead) => {
    phone.clockAhead = ahead
    phone.goOffline()
    app.addFormId(formId(), PAGE)
    clock.advance(2 * DAY_MS)
    app = phone.startApp()
    phone.goOnline()
    await phone.settled()
    const [permit] = (await books()).permits
    // The date of an answer has whole seconds.
    expect(Math.abs((permit?.expire ?? 0) - (START + 7 * DAY_MS))).toBeLessThanOrEqual(SECOND)
  })
})

describe('an answer that is none', () => {
  test('an answer as the login page of a Wi-Fi gives it does not count as stored', async () => {
    await app.whatToAsk([])
    phone.interfere = () => ({ statusCode: 200, data: '<html>Please log in</html>' })
    const id = formId()
    app.addFormId(id, PAGE)
    await phone.settled()
    expect(phone.pending()).toMatchObject([{ form_id: id }])
    expect(await app.signIn()).toEqual({ ok: false })
    expect(await app.whatToAsk([])).toMatchObject({ formId: true })
    phone.interfere = () => undefined
    phone.runTimers()
    await phone.settled()
    expect((await books()).formIds).toEqual([id])
  })

  test('never reaches the page as an exception, whatever WeChat itself throws', async () => {
    phone.wx.request = () => {
      throw new Error('request:fail invalid url')
    }
    expect(app.addFormId(formId(), PAGE)).toBe(true)
    expect(await app.signIn()).toEqual({ ok: false })
    expect(await app.whatToAsk([])).toMatchObject({ formId: true })
    phone.wx.login = () => {
      throw new Error('login:fail')
    }
    expect(await app.signIn()).toEqual({ ok: false })
    await phone.settled()
    expect(phone.pending()).toHaveLength(1)
  })
})

describe('a service that refuses', () => {
  test('a service that refuses is left alone for as long as it asks for, also when the app comes back to the front', async () => {
    await app.whatToAsk([])
    phone.interfere = ({ path }) =>
      path === '/v1/form-ids' ? { statusCode: 429, header: { 'retry-after': '90' } } : undefined
    app.addFormId(formId(), PAGE)
    await phone.settled()
    phone.interfere = () => undefined
    app.wake()
    app.addFormId(formId(), PAGE)
    phone.goOnline()
    await phone.settled()
    expect(phone.sentTo('/v1/form-ids')).toHaveLength(1)
    const [wait] = phone.runTimers()
    expect(wait).toBeGreaterThanOrEqual(90 * SECOND)
    expect(wait).toBeLessThanOrEqual(92 * SECOND)
    await phone.settled()
    expect((await books()).count).toBe(2)
  })

  test('calls that come too often is not asked again before it says', async () => {
    // 60 a minute is what a session has.
    await Promise.all(Array.from({ length: 61 }, () => app.signIn()))
    app.addFormId(formId(), PAGE)
    await phone.settled()
    const [upload] = phone.sentTo('/v1/form-ids')
    expect(upload).toMatchObject({ status: 429 })
    const [wait = 0] = phone.timers.map(({ ms }) => ms)
    expect(wait).toBeGreaterThan(2 * SECOND)
    expect(wait).toBeLessThanOrEqual(62 * SECOND)
    expect(phone.pending()).toHaveLength(1)
  })

  test('one item of a batch takes the others, and that one is dropped with a hint', async () => {
    phone.goOffline()
    const [first, last] = [formId(), formId()]
    for (const id of [first, 'x'.repeat(1_001), last]) app.addFormId(id, PAGE)
    phone.goOnline()
    await phone.settled()
    expect((await books()).formIds.toSorted()).toEqual([first, last].toSorted())
    phone.expectHints(/refused an item: invalid: items\.1\.form_id: /)
    expect(phone.pending()).toEqual([])
  })

  test('a text that is no formId names the reason in the console', async () => {
    app.addFormId('with blanks in it', PAGE)
    await phone.settled()
    phone.expectHints(/refused an item: malformed/)
    expect(phone.pending()).toEqual([])
  })

  test('a service that refuses is not mistaken for a proxy that answers with the status of a wrong request', async () => {
    phone.interfere = ({ path }) =>
      path === '/v1/form-ids'
        ? { statusCode: 413, data: '<html>413 Request Entity Too Large</html>' }
        : undefined
    app.addFormId(formId(), PAGE)
    await phone.settled()
    expect(phone.pending()).toHaveLength(1)
    expect(phone.timers).toHaveLength(1)
  })

  test('a service that refuses by another error than a wrong request loses nothing', async () => {
    for (const statusCode of [403, 404, 409, 500, 503]) {
      phone.interfere = ({ path }) => (path === '/v1/form-ids' ? { statusCode } : undefined)
      app.addFormId(formId(), PAGE)
      await phone.settled()
      phone.runTimers()
      await phone.settled()
    }
    expect(phone.pending()).toHaveLength(5)
    phone.interfere = () => undefined
    phone.runTimers()
    await phone.settled()
    expect((await books()).count).toBe(5)
  })
})

test('mock formIds are neither stored nor sent', async () => {
  expect(app.addFormId('the formId is a mock one', PAGE)).toBe(false)
  expect(app.addFormId('the formId is a mock one', PAGE)).toBe(false)
  expect(app.addFormId(undefined, PAGE)).toBe(false)
  await phone.settled()
  expect(phone.sent).toEqual([])
  expect(phone.pending()).toEqual([])
  phone.expectHints(/DevTools gives mock formIds/, /report-submit/)
})

describe('a user whom the service does not know and may not number', () => {
  const backend = useService('sqlite', {
    env: { ...SESSIONS, USER_IDS: 'backend' },
    wechatUrl: () => wechat.url,
    now: clock.now,
  })

  test('keeps what was collected until the backend has bound the open_id', async () => {
    phone = newPhone(backend.url)
    app = phone.startApp()
    app.addFormId(formId(), PAGE)
    expect(await app.signIn()).toEqual({ ok: false })
    await phone.settled()
    expect(phone.hints).toContainEqual(expect.stringMatching(/let your backend bind the open_id/))
    expect(phone.pending()).toHaveLength(1)

    await backend.request('PUT', '/v1/users', {
      body: JSON.stringify({ open_id: openId, user_id: 9001 }),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${API_KEY}` },
    })
    phone.runTimers()
    await phone.settled()
    expect((await books(backend)).count).toBe(1)
    expect(await app.signIn()).toMatchObject({ ok: true, streak: 1 })
    expect(phone.sentTo('/v1/sessions')).toHaveLength(1)
  })
})
