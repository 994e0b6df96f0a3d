import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { createClock } from '../helpers/clock.js'
import { APP_ID, APP_SECRET } from '../helpers/constants.js'
import { dialects } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { startTestService, type TestService } from '../helpers/service.js'

const NINE = Date.parse('2026-11-20T09:00:00+08:00')
const TEN = Date.parse('2026-11-20T10:00:00+08:00')
const OPEN_ID = 'oStoryOfCallbacks0000000000'
const TEMPLATE = 'sign-in-template'
const CALLBACK = {
  token: 'TokenOfTheTests2026',
  encodingAesKey: 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ',
}

describe.each(dialects)('service and WeChat on %s', (dialect) => {
  const clock = createClock(NINE)
  let wechat: Sandbox
  let service: TestService

  beforeEach(async () => {
    clock.set(NINE)
    wechat = await startSandbox({
      now: clock.now,
      accounts: [{ appId: APP_ID, secret: APP_SECRET, templates: { [TEMPLATE]: ['thing1'] } }],
    })
    service = await startTestService(dialect, {
      env: {
        WX_API_BASE_URL: wechat.url,
        WX_CHANNEL: 'subscribe',
        USER_IDS: 'auto',
        WX_CALLBACK_TOKEN: CALLBACK.token,
        WX_ENCODING_AES_KEY: CALLBACK.encodingAesKey,
        REMINDER_TEMPLATE_ID: TEMPLATE,
        REMINDER_DATA: '{"thing1":"每日签到"}',
      },
      now: clock.now,
    })
    const url = `${service.url}/wechat/callback`
    wechat.control.configureCallback({ ...CALLBACK, url, mode: 'safe', format: 'xml' })
  })
  afterEach(async () => {
    await service.close()
    await wechat.close()
  })

  const outcomes = async (): Promise<string[]> =>
    (await service.db('wx_callback_event').orderBy('id')).map(({ outcome }) => outcome)
  const message = () => service.db('wx_push_message_detail').first()

  /** Subscribes, and lets the schedule remind at ten. */
  async function subscribeAndRemind(): Promise<void> {
    wechat.control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE })
    await eventually('the permit', async () => (await outcomes())[0] === 'granted')
    clock.set(TEN)
    service.startSchedule()
    await eventually('the event of the message', async () => {
      // An event that came before our own settle is looked at again seconds later.
      clock.advance(1_000)
      return (await outcomes())[1] === 'delivered'
    })
  }

  test('an accept that only WeChat tells of is a reminder, and its event makes it delivered', async () => {
    await subscribeAndRemind()
    expect(await message()).toMatchObject({
      state: 'delivered',
      delivery_status: 'success',
      open_id: OPEN_ID,
    })
    await wechat.control.sendPushes()
    expect(wechat.control.pushes().map(({ state }) => state)).toEqual(['answered', 'answered'])
    expect((await audit(service.db, clock.now(), false)).ok).toBe(true)
  })

  test('a message whose answer was lost is settled by its event', async () => {
    wechat.control.addFault({ kind: 'cut_after', match: { path: '/cgi-bin/message/subscribe/send' } })
    await subscribeAndRemind()
    expect(await message()).toMatchObject({ state: 'delivered', delivery_status: 'success', maybe_sent: 1 })
    expect(wechat.control.ledger()).toHaveLength(1)
    expect((await audit(service.db, clock.now(), false)).ok).toBe(true)
  })

  test('a forged push is refused three times, and changes nothing', async () => {
    wechat.control.push(
      { name: 'unsubscribe', openId: OPEN_ID, at: clock.now(), items: [] },
      { token: 'AnotherTokenOfTests' },
    )
    await wechat.control.sendPushes()
    expect(wechat.control.pushes()).toMatchObject([
      { state: 'given_up', attempts: Array(3).fill({ status: 403 }) },
    ])
    expect(await outcomes()).toEqual([])
    expect(await service.db('wx_user')).toEqual([])
  })
})
