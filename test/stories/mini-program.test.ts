import { afterEach, describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { Phone, type Reminder } from '../examples/phone.js'
import { openScreen } from '../examples/screen.js'
import { createClock } from '../helpers/clock.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { APP_ID, APP_SECRET, startTestService, type TestService } from '../helpers/service.js'
import { DAY } from '../helpers/users.js'

/** As in the kit's config.js. */
const TEMPLATE = 'TEMPLATE-ID-OF-YOUR-ACCOUNT'
const PAGE = 'pages/sign-in/index'
const FRIDAY_NINE = Date.parse('2026-11-20T09:00:00+08:00')
const SATURDAY_TEN = Date.parse('2026-11-21T10:00:00+08:00')

const ENV = {
  USER_IDS: 'auto',
  SESSION_SECRET: 'a-secret-of-the-story-with-32-letters',
  REMINDER_TEMPLATE_ID: TEMPLATE,
  REMINDER_PAGE: PAGE,
  REMINDER_DATA: '{"thing1":"每日签到","thing2":"已连续签到{streak}天","date3":"{date}"}',
}

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

/** Opens the page, taps 签到 once, and waits until everything is uploaded. */
async function signIn({ openId, phone, app }: Person, streak: number): Promise<void> {
  const screen = openScreen(PAGE, { wx: phone.wx, app: { reminder: app } })
  screen.show()
  await phone.settled()
  await screen.tap('.sign-in__button', wechat.control.issueFormId({ openId }))
  await screen.until(`已连续签到 ${streak} 天`)
  await phone.settled()
  screen.close()
}

/** From now on the user accepts whenever asked, and WeChat knows it. */
function accepts({ openId, phone }: Person): void {
  phone.decide = (templateId) => {
    wechat.control.grantSubscription({ openId, templateId })
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

const messages = () =>
  selectRows<MessageRow>(
    service.db,
    'SELECT open_id, business_date, channel, state, delivery_status FROM wx_push_message ORDER BY open_id',
  )

async function expectBooksClean(): Promise<void> {
  const { checks } = await audit(service.db, clock.now(), false)
  expect(checks.filter(({ ok }) => !ok)).toEqual([])
}

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

  test('by subscription: an accept in the sign-in tap is a reminder, a reject is none', async () => {
    await begin({ WX_CHANNEL: 'subscribe' })
    const [ann, bob, cleo] = [person('Ann'), person('Bob'), person('Cleo')]
    for (const each of [ann, bob]) accepts(each)
    for (const each of [ann, bob, cleo]) await signIn(each, 1)
    clock.advance(DAY)
    await signIn(ann, 2)

    await remindOnSaturday([bob])

    expect(await messages()).toMatchObject([
      { open_id: bob.openId, business_date: 20261121, channel: 'subscribe', state: 'delivered' },
    ])
    expect(cleo.phone.sentTo('/v1/subscriptions')).toEqual([])
    await expectBooksClean()
  })

  test('by form_id: who signs in is left alone, who does not is reminded the next day', async () => {
    await begin({ WX_CHANNEL: 'form_id' })
    const [ann, bob, cleo] = [person('Ann'), person('Bob'), person('Cleo')]
    for (const each of [ann, bob, cleo]) await signIn(each, 1)
    clock.advance(DAY)
    await signIn(ann, 2)

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
