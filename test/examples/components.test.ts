import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { attributesOf, loadApp, openScreen, type Screen, useScreens } from './screen.js'

const FORM_ID = '3a5f0c9b2e7d4f6188aa10b2c3d4e5f6'
const [TEMPLATE, OTHER] = ['template-of-reminders', 'template-of-prizes']

type Choices = Record<string, string> | { errCode: number; errMsg: string }

/** A phone whose user makes these choices, and an app that remembers what it was handed. */
function setUp(choices: Choices = { [TEMPLATE]: 'accept' }) {
  const asked: string[][] = []
  const formIds: unknown[][] = []
  const subscriptions: { tap: object; templateId: string; result: string }[] = []
  const hints: string[] = []
  const signIns: number[] = []
  const reminder = {
    hint: (text: string) => hints.push(text),
    addFormId: (...formId: unknown[]) => formIds.push(formId) > 0 && formId[0] === FORM_ID,
    newTap: () => ({ id: randomUUID(), at: Date.now() }),
    addSubscription: (tap: object, templateId: string, result: string) =>
      subscriptions.push({ tap, templateId, result }),
    whatToAsk: async (templateIds: string[]) => ({ formId: true, templateIds }),
    // What the service knows of the real day, or no answer, as most tests have it.
    today: async (): Promise<object> => ({ ok: false }),
    signIn: async () => {
      signIns.push(Date.now())
      return { ok: true, date: '2026-11-20', streak: 3 }
    },
  }
  const wx = {
    requestSubscribeMessage(option: {
      tmplIds: string[]
      success(results: object): void
      fail(failure: object): void
    }) {
      asked.push(option.tmplIds)
      if ('errCode' in choices) option.fail(choices)
      else option.success({ errMsg: 'requestSubscribeMessage:ok', ...choices })
    },
  }
  return { asked, formIds, subscriptions, hints, signIns, reminder, phone: { wx, app: { reminder } } }
}

useScreens()

let screen: Screen
afterEach(() => screen.close())

describe('permit-form', () => {
  const open = (phone: ReturnType<typeof setUp>['phone'], properties = {}) => {
    screen = openScreen('components/permit-form/index', phone, {
      properties: { page: 'pages/a/index', ...properties },
      events: ['formid', 'tap'],
    })
    return screen
  }

  test('turns a tap into one submit and keeps the one formId that it gives', async () => {
    const { phone, formIds } = setUp()
    await open(phone).tap('.permit-form', FORM_ID)
    expect(formIds).toEqual([[FORM_ID, 'pages/a/index']])
    expect(screen.heard.filter(({ name }) => name === 'formid')).toEqual([
      { name: 'formid', detail: { formId: FORM_ID } },
    ])
    expect(screen.heard.filter(({ name }) => name === 'tap')).toHaveLength(1)
    expect(screen.html().match(/<wx-form/g)).toHaveLength(1)
  })

  test('tells that a submit gave no formId', async () => {
    const { phone } = setUp()
    await open(phone).tap('.permit-form', 'the formId is a mock one')
    expect(screen.heard).toContainEqual({ name: 'formid', detail: { formId: null } })
  })

  test('lets WeChat check the formId for the time that it is given', () => {
    const { phone } = setUp()
    const form = open(phone, { timeout: 500 }).find('wx-form')
    expect(attributesOf(form)).toMatchObject({ reportSubmit: true, reportSubmitTimeout: 500 })
  })

  test('asks for no formId when none is wanted, and the tap is a tap all the same', async () => {
    const { phone, formIds } = setUp()
    await open(phone, { collect: false }).tap('.permit-form', FORM_ID)
    expect(attributesOf(screen.find('wx-form'))).toMatchObject({ reportSubmit: false })
    expect(formIds).toEqual([])
    expect(screen.heard.map(({ name }) => name)).toEqual(['tap'])
  })

  test('submits nothing while it is disabled', async () => {
    const { phone, formIds } = setUp()
    await open(phone, { disabled: true }).tap('.permit-form', FORM_ID)
    expect(formIds).toEqual([])
  })
})

describe('subscribe-tap', () => {
  const open = (phone: { wx: object; app: object }, properties = {}) => {
    screen = openScreen('components/subscribe-tap/index', phone, {
      properties: { templateIds: [TEMPLATE, OTHER], ...properties },
      events: ['answer', 'tap'],
    })
    return screen
  }
  const answers = () => screen.heard.filter(({ name }) => name === 'answer').map(({ detail }) => detail)

  test('asks inside the tap, before it reaches whoever listens outside', async () => {
    const { phone, asked } = setUp()
    open(phone)
    const askedBefore: number[] = []
    screen.on('tap', () => askedBefore.push(asked.length))
    await screen.tap('.subscribe-tap')
    expect(asked).toEqual([[TEMPLATE, OTHER]])
    expect(askedBefore).toEqual([1])
  })

  test.each([
    [{ [TEMPLATE]: 'accept', [OTHER]: 'acceptWithAudio', c: 'reject' }, []],
    [{ [TEMPLATE]: 'accept', [OTHER]: 'acceptWithAudio', d: 'ban' }, [/banned template d/]],
    [{ [TEMPLATE]: 'accept', [OTHER]: 'acceptWithAudio', e: 'filter' }, [/template e has the same title/]],
  ])('reports what was answered for each template: %j', async (choices, said) => {
    const { phone, subscriptions, hints } = setUp(choices)
    await open(phone, { templateIds: Object.keys(choices) }).tap('.subscribe-tap')
    expect(subscriptions.map(({ templateId, result }) => [templateId, result])).toEqual(
      Object.entries(choices),
    )
    expect(answers()).toEqual([{ accepted: [TEMPLATE, OTHER] }])
    expect(hints).toEqual(said.map((text) => expect.stringMatching(text)))
  })

  test('names a tap once for all its templates, and the next one differently', async () => {
    const { phone, subscriptions } = setUp({ [TEMPLATE]: 'accept', [OTHER]: 'accept' })
    await open(phone).tap('.subscribe-tap')
    await screen.tap('.subscribe-tap')
    const [first, same, next] = subscriptions
    expect(same?.tap).toEqual(first?.tap)
    expect(next?.tap).not.toEqual(first?.tap)
  })

  test('asks for three templates at most, in one popup', async () => {
    const { phone, asked } = setUp()
    await open(phone, { templateIds: ['1', '2', '3', '4', '5', '6'] }).tap('.subscribe-tap')
    expect(asked).toEqual([['1', '2', '3']])
  })

  test.each([10001, 10002, 10003, 10004, 10005, 20001, 20002, 20003, 20004, 20005, 20013])(
    'explains failure %i in one line',
    async (errCode) => {
      const errMsg = 'requestSubscribeMessage:fail'
      const { phone, subscriptions, hints } = setUp({ errCode, errMsg })
      await open(phone).tap('.subscribe-tap')
      expect(hints).toEqual([expect.stringMatching(new RegExp(`${errCode}: .{20,}`))])
      expect(hints[0]).not.toContain(errMsg)
      expect(hints[0]).not.toContain('\n')
      expect(subscriptions).toEqual([])
      expect(answers()).toEqual([{ accepted: [] }])
    },
  )

  test("passes on WeChat's own words for a failure that it does not know", async () => {
    const { phone, hints } = setUp({ errCode: 30001, errMsg: 'requestSubscribeMessage:fail cancel' })
    await open(phone).tap('.subscribe-tap')
    expect(hints).toEqual([expect.stringMatching(/30001: requestSubscribeMessage:fail cancel/)])
  })

  test('subscribe-tap does not ask when asking is of no use, nor without a template', async () => {
    const { phone, asked } = setUp()
    await open(phone, { ask: false }).tap('.subscribe-tap')
    screen.close()
    await open(phone, { templateIds: [] }).tap('.subscribe-tap')
    expect(asked).toEqual([])
    expect(screen.heard.map(({ name }) => name)).toEqual(['tap'])
  })

  test('says that a client is too old, and goes on', async () => {
    const { phone, hints } = setUp()
    await open({ ...phone, wx: { requestSubscribeMessage: undefined } }).tap('.subscribe-tap')
    expect(hints).toEqual([expect.stringMatching(/too old/)])
    expect(screen.heard.map(({ name }) => name)).toEqual(['tap'])
  })
})

describe('the sign-in page', () => {
  const open = (phone: { wx: object; app: object }) => {
    screen = openScreen('pages/sign-in/index', phone)
    screen.show()
    return screen
  }
  const BUTTON = '.sign-in__button'

  test('signs in, asks and collects in the one tap, and shows the streak', async () => {
    const { phone, asked, formIds, signIns } = setUp()
    await open(phone).tap(BUTTON, FORM_ID)
    await screen.until('已连续签到 3 天')
    expect(signIns).toHaveLength(1)
    expect(asked).toHaveLength(1)
    expect(formIds).toEqual([[FORM_ID, 'pages/sign-in/index']])
  })

  test('says that a reminder will come only when the user accepted one', async () => {
    const { phone } = setUp({ 'TEMPLATE-ID-OF-YOUR-ACCOUNT': 'reject' })
    await open(phone).tap(BUTTON, FORM_ID)
    await screen.until('已连续签到')
    expect(screen.html()).not.toContain('提醒')
    screen.close()
    await open(setUp({ 'TEMPLATE-ID-OF-YOUR-ACCOUNT': 'accept' }).phone).tap(BUTTON, FORM_ID)
    await screen.until('忘记签到时会提醒你一次')
  })

  test('asks for nothing when the service says that it helps nobody', async () => {
    const { phone, asked, formIds, reminder } = setUp()
    open({
      ...phone,
      app: { reminder: { ...reminder, whatToAsk: async () => ({ formId: false, templateIds: [] }) } },
    })
    await screen.wait(() => screen.data.collect === false)
    await screen.tap(BUTTON, FORM_ID)
    await screen.until('已连续签到 3 天')
    expect(asked).toEqual([])
    expect(formIds).toEqual([])
  })

  test('offers to try again after a failure', async () => {
    const { phone, reminder } = setUp()
    const answers = [{ ok: false }, { ok: true, date: '2026-11-20', streak: 1 }]
    await open({
      ...phone,
      app: { reminder: { ...reminder, signIn: async () => answers.shift() } },
    }).tap(BUTTON)
    await screen.until('没有签到成功')
    await screen.tap(BUTTON)
    await screen.until('已连续签到 1 天')
    expect(screen.html()).not.toContain('没有签到成功')
  })

  test('knows after a cold start that the user has signed in', async () => {
    const { phone, reminder, signIns, asked } = setUp()
    const day = { ok: true, date: '2026-11-20', signedIn: true, streak: 5, streakBefore: 4 }
    open({ ...phone, app: { reminder: { ...reminder, today: async () => day } } })
    await screen.until('已连续签到 5 天')
    expect(screen.html()).toContain('已签到')
    await screen.tap(BUTTON, FORM_ID)
    expect(signIns).toEqual([])
    expect(asked).toEqual([])
  })

  test('believes the answer to a tap more than a question that was asked before it', async () => {
    const { phone, reminder } = setUp()
    let answer: (day: object) => void = () => {}
    const today = () => new Promise<object>((resolve) => (answer = resolve))
    open({ ...phone, app: { reminder: { ...reminder, today } } })
    await screen.tap(BUTTON, FORM_ID)
    await screen.until('已连续签到 3 天')
    answer({ ok: true, date: '2026-11-20', signedIn: false, streak: 0, streakBefore: 2 })
    await screen.wait(() => screen.data.collect === true)
    expect(screen.html()).toContain('已签到')
  })

  test('takes a sign-in when the service’s day is a new one, whatever the phone’s clock says', async () => {
    const { phone, reminder, signIns } = setUp()
    const days = [
      { ok: true, signedIn: true, streak: 2 },
      { ok: true, signedIn: false, streak: 0 },
    ]
    open({ ...phone, app: { reminder: { ...reminder, today: async () => days.shift() } } })
    await screen.until('已签到')
    screen.show()
    await screen.wait(() => screen.data.streak === 0)
    await screen.tap(BUTTON, FORM_ID)
    await screen.until('已连续签到 3 天')
    expect(signIns).toHaveLength(1)
  })

  test('takes no further tap for a sign-in once the user has signed in', async () => {
    const { phone, asked, formIds } = setUp()
    await open(phone).tap(BUTTON, FORM_ID)
    await screen.until('已签到')
    await screen.tap(BUTTON, FORM_ID)
    expect(asked).toHaveLength(1)
    expect(formIds).toHaveLength(1)
  })
})

test('the sign-in page takes a sign-in again when it comes back on another day', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date(2026, 10, 20, 22, 0) })
  try {
    const { phone, signIns } = setUp()
    screen = openScreen('pages/sign-in/index', phone)
    screen.show()
    await screen.tap('.sign-in__button')
    await screen.until('已签到')
    vi.setSystemTime(new Date(2026, 10, 20, 23, 0))
    screen.show()
    expect(screen.html()).toContain('已签到')
    vi.setSystemTime(new Date(2026, 10, 21, 7, 0))
    screen.show()
    expect(screen.html()).not.toContain('已签到')
    await screen.tap('.sign-in__button')
    await screen.until('已签到')
    expect(signIns).toHaveLength(2)
  } finally {
    vi.useRealTimers()
  }
})

test('app.js makes the one object that pages and components use, and starts it when the app is shown', () => {
  const { wx } = setUp().phone
  const shown: string[] = []
  const app = loadApp({
    ...wx,
    onNetworkStatusChange: () => {},
    getStorageSync: (key: string) => {
      shown.push(key)
      return ''
    },
  })
  app.onShow()
  expect(shown.length).toBeGreaterThan(0)
  for (const name of [
    'wake',
    'addFormId',
    'newTap',
    'addSubscription',
    'whatToAsk',
    'today',
    'signIn',
    'hint',
  ]) {
    expect(app.reminder).toHaveProperty(name, expect.any(Function))
  }
})
