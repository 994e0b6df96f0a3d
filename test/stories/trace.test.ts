import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { codeIn, languagesOf, read } from '../docs/pages.js'
import { createClock } from '../helpers/clock.js'
import { APP_ID, APP_SECRET } from '../helpers/constants.js'
import { eventually } from '../helpers/eventually.js'
import { recordedLog } from '../helpers/log.js'
import { startTestService, type TestService } from '../helpers/service.js'

const NINE = Date.parse('2026-11-20T09:00:00+08:00')
const TEN = Date.parse('2026-11-20T10:00:00+08:00')
const OPEN_ID = 'oStoryOfATrace000000000000'
const TEMPLATE = 'sign-in-template'
const CALLBACK = {
  token: 'TokenOfTheTests2026',
  encodingAesKey: 'u8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ',
}
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const HEADERS = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }

const log = recordedLog()
const first = (event: string) => log.lines(event)[0] ?? {}

describe.each(['form_id', 'subscribe'])('on the channel %s', (channel) => {
  const clock = createClock(NINE)
  let wechat: Sandbox
  let service: TestService

  beforeAll(async () => {
    wechat = await startSandbox({
      now: clock.now,
      accounts: [{ appId: APP_ID, secret: APP_SECRET, templates: { [TEMPLATE]: ['thing1'] } }],
    })
    service = await startTestService('sqlite', {
      env: {
        LOG_LEVEL: 'debug',
        WX_API_BASE_URL: wechat.url,
        WX_CHANNEL: channel,
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
  afterAll(async () => {
    await service.close()
    await wechat.close()
  })

  const user = { open_id: OPEN_ID, user_id: 9001 }
  const uploads: Record<string, () => Promise<unknown>> = {
    form_id: () => {
      const formId = wechat.control.issueFormId({ openId: OPEN_ID })
      return service.post('/v1/form-ids', { ...user, form_id: formId }, HEADERS)
    },
    subscribe: () => {
      wechat.control.grantSubscription({ openId: OPEN_ID, templateId: TEMPLATE })
      return service.post('/v1/subscriptions', { ...user, template_id: TEMPLATE, result: 'accept' }, HEADERS)
    },
  }

  test('a reader of the log gets from a caller’s trace to the message, and to what became of it', async () => {
    await uploads[channel]?.()
    clock.set(TEN)
    service.startSchedule()
    await eventually('the message', () => log.lines('message.attempted').length > 0)
    const attempt = first('message.attempted')
    expect(attempt).toMatchObject({ trace_id: `message-${attempt.message_id}`, verdict: 'delivered' })

    if (channel === 'form_id') {
      expect(first('permits.uploaded')).toMatchObject({ trace_id: TRACE, accepted: [attempt.permit] })
    } else {
      expect(first('subscriptions.reported')).toMatchObject({
        trace_id: TRACE,
        accepted_of_users: [attempt.user_id],
      })
      await eventually('its event', () => {
        // An event that came before our own settle is looked at again seconds later.
        clock.advance(1_000)
        return log.lines('callback.applied').some(({ trace_id }) => trace_id === attempt.trace_id)
      })
      const applied = log.lines('callback.applied').find(({ trace_id }) => trace_id === attempt.trace_id)
      expect(applied).toMatchObject({ message_id: attempt.message_id, outcome: 'delivered' })
      const push = log.lines('http.request').find(({ trace_id }) => trace_id === applied?.push_trace_id)
      expect(push).toMatchObject({ method: 'POST', route: '/wechat/callback', status: 200 })
    }
    expect(log.text()).not.toContain(OPEN_ID)
    for (const page of languagesOf('docs/operating.md'))
      expectAsDocumented(page, codeIn(read(page), 'json')[channel === 'form_id' ? 0 : 1] ?? '')
  })
})

/** Every line of the example in the documents has exactly the fields of a real one. */
function expectAsDocumented(page: string, example: string): void {
  const lines = example
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines).toHaveLength(3)
  for (const line of lines) {
    const real = log.lines(String(line.event)).map((each) => Object.keys(each).sort())
    expect(real, `${page}: ${line.event}`).toContainEqual(Object.keys(line).sort())
  }
}
