import { afterEach, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { Phone, type Reminder } from '../examples/phone.js'
import { openScreen, useScreens } from '../examples/screen.js'
import { createClock } from '../helpers/clock.js'
import { APP_ID, APP_SECRET, DAY_MS } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { startTestService, type TestService } from '../helpers/service.js'
import { type Push, type PushedEvent, Pushes } from './pushes.js'

/** As in the kit's config.js. */
const TEMPLATE = 'TEMPLATE-ID-OF-YOUR-ACCOUNT'
const PAGE = 'pages/sign-in/index'
/** What a client of today gives in place of a formId. */
const NO_FORM_ID = 'requestFormId:fail deprecated'
const FRIDAY_NINE = Date.parse('2026-11-20T09:00:00+08:00')
const SATURDAY_TEN = Date.parse('2026-11-21T10:00:00+08:00')

const ENV = {
  USER_IDS: 'auto',
  SESSION_SECRET: 'a-secret-of-the-story-with-32-letters',
  REMINDER_TEMPLATE_ID: TEMPLATE,
  REMINDER_PAGE: PAGE,
  REMINDER_DATA: '{"thing1":"每日签到","thing2":"已连续签到{streak}天","date3":"{date}"}',
}

const PUSHES = {
  appId: APP_ID,
  token: 'TokenOfTheStory0123',
  encodingAesKey: 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ',
  now: () => clock.now(),
}
const CALLBACK = { WX_CALLBACK_TOKEN: PUSHES.token, WX_ENCODING_AES_KEY: PUSHES.encodingAesKey }

/** A user, and the mini-program on their phone. */
interface Person {
  openId: string
  phone: Phone
  app: Reminder
}

interface MessageRow {
  open_id: string
  business_date: number
  channel: string
  state: string
  delivery_status: string | null
}

const clock = createClock(FRIDAY_NINE)
const wechatPushes = new Pushes(PUSHES)
let wechat: Sandbox
let service: TestService

function person(name: string): Person {
  const openId = `oStory_${name}`
  const phone = new Phone({
    serviceUrl: service.url,
    now: clock.now,
    loginCode: () => wechat.control.issueLoginCode({ openId }),
  })
  return { openId, phone, app: phone.startApp() }
}

const formIdOf = ({ openId }: Person) => wechat.control.issueFormId({ openId })

/** Opens the page, taps 签到 once, and waits until everything is uploaded. */
async function signIn({ phone, app }: Person, streak: number, formId: string): Promise<void> {
  const screen = openScreen(PAGE, { wx: phone.wx, app: { reminder: app } })
  screen.show()
  await phone.settled()
  await screen.tap('.sign-in__button', formId)
  await screen.until(`已连续签到 ${streak} 天`)
  await phone.settled()
  screen.close()
}

/** From now on the user accepts whenever asked, and WeChat knows it. */
function accepts({ openId, phone }: Person): void {
  phone.decide = (templateId) => {
    wechat.control.tap({ openId, answers: { [templateId]: 'accept' } })
    return 'accept'
  }
}

/** Lets the schedule do Saturday's run, and waits until exactly these have a message. */
async function remindOnSaturday(persons: Person[]): Promise<void> {
  clock.set(SATURDAY_TEN)
  service.startSchedule()
  await eventually('the end of the run', async () => {
    const [run] = await selectRows(
      service.db,
      "SELECT 1 FROM wx_job_run WHERE job = 'remind' AND state = 'done'",
    )
    return run !== undefined
  })
  const reminded = wechat.control.ledger().map(({ open_id }) => open_id)
  expect(reminded.sort()).toEqual(persons.map(({ openId }) => openId).sort())
}

/** What WeChat pushes when the user answers the popup. */
function popup({ openId }: Person, at = clock.now()): Push {
  return wechatPushes.of({
    FromUserName: openId,
    CreateTime: String(Math.floor(at / 1000)),
    Event: 'subscribe_msg_popup_event',
    List: { TemplateId: TEMPLATE, SubscribeStatusString: 'accept', PopupScene: '0' },
  })
}

/** What WeChat pushes when the message has reached the user's phone, or has not. */
function sent({ openId }: Person, outcome = { ErrorCode: '0', ErrorStatus: 'success' }): PushedEvent {
  const delivery = wechat.control.ledger().find(({ open_id }) => open_id === openId)
  return {
    FromUserName: openId,
    CreateTime: String(Math.floor(clock.now() / 1000)),
    Event: 'subscribe_msg_sent_event',
    List: { TemplateId: TEMPLATE, MsgID: String(delivery?.msgid), ...outcome },
  }
}

async function expectSuccess({ path, body }: Push): Promise<void> {
  expect(await service.request('POST', path, { body })).toMatchObject({ status: 200, text: 'success' })
}

/** Waits until the service has worked off what it took from WeChat. */
const workedOff = () =>
  eventually('the end of all events', async () => {
    const open = await selectRows(service.db, "SELECT 1 FROM wx_callback_event WHERE state <> 'done'")
    return open.length === 0
  })

/** An event that comes before the answer is written down waits for two seconds by the service's clock. */
const deliveryOnRecord = () =>
  eventually('what became of the message', async () => {
    clock.advance(1_000)
    return (await messages())[0]?.delivery_status ?? undefined
  })

async function permitsLeft({ openId }: Person): Promise<number> {
  const [row] = await selectRows<{ count: number }>(
    service.db,
    `SELECT s.count FROM wx_message_push_status s JOIN wx_user u ON u.app_id = s.app_id AND u.user_id = s.user_id
     WHERE u.open_id = ?`,
    [openId],
  )
  return row?.count ?? 0
}

const books = async () => ({
  permits: await selectRows(service.db, 'SELECT open_id, form_id, status FROM wx_save_form_id ORDER BY id'),
  counters: await selectRows(service.db, 'SELECT user_id, count, last_date FROM wx_message_push_status'),
  persons: await selectRows(
    service.db,
    'SELECT open_id, opted_out_at, blocked_at FROM wx_user ORDER BY open_id',
  ),
  messages: await messages(),
})

const messages = () =>
  selectRows<MessageRow>(
    service.db,
    'SELECT open_id, business_date, channel, state, delivery_status FROM wx_push_message_detail ORDER BY open_id',
  )

async function expectBooksClean(): Promise<void> {
  const { checks } = await audit(service.db, clock.now(), false)
  expect(checks.filter(({ ok }) => !ok)).toEqual([])
}

useScreens()

describe.each(dialects)('%s', (dialect) => {
  async function begin(env: Record<string, string>): Promise<void> {
    clock.set(FRIDAY_NINE)
    wechat = await startSandbox({
      now: clock.now,
      accounts: [
        {
          appId: APP_ID,
          secret: APP_SECRET,
          templates: { [TEMPLATE]: ['thing1', 'thing2', 'date3'] },
          pages: [PAGE],
        },
      ],
    })
    service = await startTestService(dialect, {
      env: { ...ENV, ...env, WX_API_BASE_URL: wechat.url },
      now: clock.now,
    })
  }
  afterEach(async () => {
    await service.close()
    await wechat.close()
  })

  test('by subscription: an accept in the sign-in tap is a reminder, and WeChat tells that it arrived', async () => {
    await begin({ WX_CHANNEL: 'subscribe', ...CALLBACK })
    wechat.control.configureCallback({
      ...PUSHES,
      url: `${service.url}/wechat/callback`,
      mode: 'safe',
      format: 'json',
      auto: true,
    })
    const [ann, bob, cleo] = [person('Ann'), person('Bob'), person('Cleo')]
    for (const each of [ann, bob]) accepts(each)
    for (const each of [ann, bob, cleo]) await signIn(each, 1, NO_FORM_ID)
    clock.advance(DAY_MS)
    await signIn(ann, 2, NO_FORM_ID)
    // WeChat tells of the same taps.
    await wechat.control.sendPushes()
    await workedOff()
    expect(await permitsLeft(ann)).toBe(2)
    expect(await permitsLeft(bob)).toBe(1)

    await remindOnSaturday([bob])
    expect(await messages()).toMatchObject([
      { open_id: bob.openId, business_date: 20261121, channel: 'subscribe', state: 'delivered' },
    ])
    expect(cleo.phone.sentTo('/v1/subscriptions')).toMatchObject([
      { status: 201, data: { items: [{ result: 'reject' }] } },
    ])
    expect(await permitsLeft(cleo)).toBe(0)

    expect(await deliveryOnRecord()).toBe('success')
    expect(await permitsLeft(bob)).toBe(0)
    await wechat.control.sendPushes()
    expect(wechat.control.pushes().map(({ event, state }) => `${event} ${state}`)).toEqual([
      'subscribe_msg_popup_event answered',
      'subscribe_msg_popup_event answered',
      'subscribe_msg_popup_event answered',
      'subscribe_msg_sent_event answered',
    ])
    await expectBooksClean()
  })

  test('pushes that are forged, replayed, out of order or malformed change nothing', async () => {
    await begin({ WX_CHANNEL: 'subscribe', ...CALLBACK })
    const bob = person('Bob')
    accepts(bob)
    await signIn(bob, 1, NO_FORM_ID)
    const fromFriday = popup(bob)
    await remindOnSaturday([bob])
    const told = wechatPushes.of(sent(bob))
    await expectSuccess(told)
    await deliveryOnRecord()
    const before = await books()

    clock.advance(5_000)
    const failed = sent(bob, { ErrorCode: '1', ErrorStatus: 'failed' })
    const forged = [
      new Pushes({ ...PUSHES, token: 'AnotherToken0123456' }).of(failed),
      new Pushes({ ...PUSHES, appId: 'wx0000000000000000' }).of(failed),
      new Pushes({ ...PUSHES, encodingAesKey: '2isAjIhKtJ0RlgLKOmxgJTeKdNnFRIBXuDL7DxtpYlS' }).of(failed),
      { ...wechatPushes.of(failed), body: told.body },
      { ...told, path: '/wechat/callback' },
      { ...told, body: '{"Encrypt":' },
      { ...told, body: '' },
      // Caught on its way and sent a day later.
      fromFriday,
    ]
    for (const { path, body } of forged) {
      const { status, body: answer } = await service.request('POST', path, { body })
      expect([400, 403]).toContain(status)
      expect(answer).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } })
    }

    // The same again, as WeChat does when it heard no answer; one that contradicts it; the popup's, after all else.
    await expectSuccess(told)
    await expectSuccess(wechatPushes.of(failed))
    await expectSuccess(popup(bob, FRIDAY_NINE))
    await workedOff()
    expect(await books()).toEqual(before)
    await expectBooksClean()
  })

  test('by form_id: who signs in is left alone, who does not is reminded the next day', async () => {
    await begin({ WX_CHANNEL: 'form_id' })
    const [ann, bob, cleo] = [person('Ann'), person('Bob'), person('Cleo')]
    for (const each of [ann, bob, cleo]) await signIn(each, 1, formIdOf(each))
    clock.advance(DAY_MS)
    await signIn(ann, 2, formIdOf(ann))

    await remindOnSaturday([bob, cleo])

    expect(await messages()).toMatchObject([
      { open_id: bob.openId, business_date: 20261121, channel: 'form_id', state: 'delivered' },
      { open_id: cleo.openId, business_date: 20261121, channel: 'form_id', state: 'delivered' },
    ])
    for (const { phone } of [ann, bob, cleo]) {
      expect(phone.pending()).toEqual([])
      phone.expectHints()
    }
    await expectBooksClean()
  })
})
