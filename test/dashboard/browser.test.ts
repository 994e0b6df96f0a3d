import { describe, expect, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { addDays, toIsoDate } from '../../src/lib/business-date.js'
import { HOUR_MS, SEND_PATH, TODAY } from '../helpers/constants.js'
import { findBarriers, useDashboard, useOperatorsBrowser } from '../helpers/dashboard.js'
import { eventually } from '../helpers/eventually.js'
import { diesOf, submitOver } from '../helpers/submitted-calls.js'
import { openIdOf, user, users } from '../helpers/users.js'

// @module-tag browser

const stage = useDashboard('sqlite')
const browser = useOperatorsBrowser(stage)

/** At four sends at once, 200 of them take 50 s: whoever is to come in the middle of a run comes in time. */
const aSlowRun = async (): Promise<void> => {
  await stage.has(users(1, 200).permits(1))
  stage.wechat.addFault({ kind: 'latency', ms: 1_000, after: 8, match: { path: SEND_PATH } })
}

const runState = async (): Promise<string | undefined> => {
  const [run] = await selectRows<{ state: string }>(
    stage.service.db,
    "SELECT state FROM wx_job_run WHERE job = 'remind'",
  )
  return run?.state
}

describe('in a browser', () => {
  test('an operator is told that a password is wrong, and keeps the name', async () => {
    const { page } = await browser.open()
    await page.goto(stage.service.url)
    await page.getByLabel('Your name').fill('Wang')
    await page.getByLabel('Password').fill('not the password')
    const answered = page.waitForResponse((response) => response.request().method() === 'POST')
    await page.getByRole('button', { name: 'Sign in' }).click()
    expect((await answered).status()).toBe(422)
    expect(await page.getByRole('alert').textContent()).toBe('That is not the password.')
    expect(await page.getByLabel('Your name').inputValue()).toBe('Wang')
  })

  test('Today follows a run that an operator starts, without being loaded again', async () => {
    await aSlowRun()
    const page = await browser.signIn()
    expect(await page.locator('.answer').textContent()).toBe(
      "Today's run is due, and nobody has started it yet.",
    )
    await page.getByRole('link', { name: 'Start the run' }).click()
    expect(await page.locator('main').textContent()).toContain('It is recorded as done by 王芳.')
    await page.getByRole('button', { name: 'Start the run' }).click()
    await page.waitForURL(`${stage.service.url}/dashboard`)
    await page.evaluate('window.wasLoadedOnce = true')

    const delivered = page.locator('.figures .good dd')
    await expect
      .poll(async () => ((await delivered.count()) > 0 ? Number(await delivered.first().textContent()) : 0), {
        timeout: 20_000,
      })
      .toBeGreaterThan(0)
    expect(await page.locator('.badge').first().textContent()).toBe('Under way')
    stage.wechat.clearFaults()
    await expect
      .poll(() => page.locator('.answer').textContent(), { timeout: 20_000 })
      .toBe('Yes. All 200 users who were due were reminded.')
    expect(await page.evaluate('window.wasLoadedOnce')).toBe(true)
    expect(await page.getByRole('link', { name: 'Run again' }).isVisible()).toBe(true)
    expect(await page.getByRole('link', { name: 'Start the run' }).isVisible()).toBe(false)
  }, 60_000)

  test('a run goes on when the browser is closed', async () => {
    await stage.has(users(1, 20).permits(1))
    stage.wechat.addFault({ kind: 'latency', ms: 50, match: { path: SEND_PATH } })
    const page = await browser.signIn()
    await page.goto(`${stage.service.url}/dashboard/run`)
    await page.getByRole('button', { name: 'Start the run' }).click()
    await page.waitForURL(`${stage.service.url}/dashboard`)
    await page.close()
    await eventually('the run ends', async () => (await runState()) === 'done')
  })

  test('an operator pauses a run and resumes it', async () => {
    await aSlowRun()
    const page = await browser.signIn()
    await page.goto(`${stage.service.url}/dashboard/run`)
    await page.getByRole('button', { name: 'Start the run' }).click()
    await page.waitForURL(`${stage.service.url}/dashboard`)
    await page.getByRole('link', { name: 'Pause' }).click()
    await page.getByRole('button', { name: 'Pause the run' }).click()
    await page.waitForURL(`${stage.service.url}/dashboard`)
    expect(await runState()).toBe('paused')
    await expect.poll(() => page.locator('.badge').first().textContent()).toBe('Paused')
    expect(await page.locator('main').textContent()).toContain('paused by 王芳')
    stage.wechat.clearFaults()
    await eventually('what was in hand is settled', async () => {
      const rows = await selectRows(
        stage.service.db,
        "SELECT id FROM wx_push_message WHERE state IN ('queued', 'sending', 'retry')",
      )
      return rows.length === 0
    })
    await expect
      .poll(async () => {
        await page.goto(`${stage.service.url}/dashboard/resume`)
        await page.getByRole('button', { name: 'Resume the run' }).click()
        await page.waitForURL(`${stage.service.url}/dashboard`)
        return runState()
      })
      .not.toBe('paused')
    await eventually('the run ends', async () => (await runState()) === 'done')
    const actions = await selectRows<{ who: string; action: string }>(
      stage.service.db,
      "SELECT who, action FROM wx_operator_action WHERE action IN ('run', 'pause', 'resume') ORDER BY id",
    )
    expect(actions.slice(0, 3)).toEqual([
      { who: '王芳', action: 'run' },
      { who: '王芳', action: 'pause' },
      { who: '王芳', action: 'resume' },
    ])
  }, 60_000)

  test('a halt comes with its cause and what to do, in the language of the reader', async () => {
    await stage.has(users(1, 5).permits(1))
    stage.wechat.addFault({ kind: 'errcode', errcode: 40037, match: { path: SEND_PATH } })
    const page = await browser.signIn({ locale: 'zh-CN' })
    await page.getByRole('link', { name: '开始提醒' }).click()
    await page.getByRole('button', { name: '开始提醒' }).click()
    await expect.poll(() => page.locator('.badge').first().textContent()).toBe('故障中止')
    const callouts = await page.locator('.callout').allTextContents()
    expect(callouts[0]).toMatch(/^原因.*40037/)
    expect(callouts[1]).toMatch(/^处理办法.*remind/)
    await expect.poll(() => page.locator('main table').textContent()).toContain('40037')
  })

  test('a user is looked up by open_id, which does not stay in the address, and explained', async () => {
    await stage.has(user(7).permits(2).signedInToday(), user(8))
    await stage.service.db('wx_user').insert({
      app_id: stage.service.account.appId,
      open_id: openIdOf(7),
      user_id: 7,
      created_at: stage.clock.now(),
      updated_at: stage.clock.now(),
    })
    const page = await browser.signIn()
    await page.getByRole('link', { name: 'User' }).click()
    await page.getByLabel('user_id or open_id').fill(openIdOf(7))
    await page.getByRole('button', { name: 'Look up' }).click()
    await page.waitForURL(`${stage.service.url}/dashboard/user/7`)
    expect(await page.content()).not.toContain(openIdOf(7))
    expect(await page.locator('.why .badge').textContent()).toBe('signed in')
    await page.locator('#date').fill(toIsoDate(addDays(TODAY, 1)))
    await page.getByRole('button', { name: 'Explain' }).click()
    await expect.poll(() => page.locator('.why .badge').textContent()).toBe('will be reminded')

    await page.getByRole('link', { name: 'Opt out …' }).click()
    await page.getByRole('button', { name: 'Opt out' }).click()
    await page.waitForURL(`${stage.service.url}/dashboard/user/7`)
    expect(await page.locator('.badge').first().textContent()).toBe('Opted out')
    await page.getByRole('link', { name: 'Bring back …' }).click()
    await page.getByRole('button', { name: 'Bring back' }).click()
    await page.waitForURL(`${stage.service.url}/dashboard/user/7`)
    expect(await page.locator('.badge').first().textContent()).toBe('may be sent')
  })

  test('refused reminders are tried once more after a preview', async () => {
    await stage.has(users(1, 3).permits(2))
    stage.wechat.addFault({
      id: 'refused',
      kind: 'errcode',
      errcode: 40003,
      match: { path: SEND_PATH, open_id: openIdOf(2) },
    })
    const page = await browser.signIn()
    await page.goto(`${stage.service.url}/dashboard/run`)
    await page.getByRole('button', { name: 'Start the run' }).click()
    await eventually('the run ends', async () => (await runState()) === 'done')
    stage.wechat.clearFaults()
    await page.goto(`${stage.service.url}/dashboard/errors`)
    expect(await page.locator('main table').textContent()).toContain('40003')
    await page.getByRole('link', { name: 'Preview a retry' }).click()
    expect(await page.locator('.figures .bad dd').textContent()).toBe('1')
  })

  test('language and theme are switched, and stay', async () => {
    const page = await browser.signIn({ colorScheme: 'light' })
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const light = await background()
    await page.getByRole('button', { name: 'Dark' }).click()
    await expect.poll(() => page.locator('html').getAttribute('data-theme')).toBe('dark')
    expect(await background()).not.toBe(light)
    await page.getByRole('button', { name: '中文' }).click()
    await expect.poll(() => page.locator('html').getAttribute('lang')).toBe('zh-CN')
    await page.getByRole('link', { name: '运行状况' }).click()
    await expect.poll(() => page.locator('h1').textContent()).toBe('运行状况')
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark')
  })

  test.each([
    ['en-US', 'light', 1280],
    ['zh-CN', 'dark', 1280],
    ['zh-CN', 'light', 390],
    ['en-US', 'dark', 390],
  ] as const)(
    'every page is without barriers and fits: %s, %s, %i px',
    async (locale, colorScheme, width) => {
      await stage.has(
        users(1, 12).permits(2).streak(3),
        users(13, 15).permits(1).signedInToday(),
        user(16).optedOut(),
      )
      const page = await browser.signIn({ locale, colorScheme, viewport: { width, height: 844 } })
      await page.goto(`${stage.service.url}/dashboard/run`)
      await page.locator('main button.main').click()
      await eventually('the run ends', async () => (await runState()) === 'done')
      const [dead] = await submitOver(stage.service, [1, 2])
      await diesOf(stage, 47003)
      const [queued] = await submitOver(stage.service, [3], { not_before: stage.clock.now() + HOUR_MS })
      const found: Record<string, unknown> = {}
      for (const path of [
        '',
        '/plan',
        '/run',
        '/permits',
        '/history',
        '/user',
        '/user/3',
        '/user/3/opt-out',
        '/user/404',
        '/messages',
        '/messages?state=dead',
        '/messages?errcode=x',
        '/messages/requeue',
        `/messages/${dead}`,
        `/messages/${dead}/requeue`,
        `/messages/${queued}/cancel`,
        '/errors',
        '/health',
        '/nowhere',
      ]) {
        await page.goto(`${stage.service.url}/dashboard${path}`)
        const barriers = await findBarriers(page)
        const isWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth')
        if (barriers.length > 0 || isWide) found[path] = { barriers, isWide }
      }
      expect(found).toEqual({})
    },
    60_000,
  )
})
