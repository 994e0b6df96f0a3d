import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { businessDate } from '../../src/lib/business-date.js'
import { DEMO_ACCOUNT } from '../../src/sandbox/accounts.js'
import type { SandboxControl } from '../../src/sandbox/control.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.js'
import { type TestBrowser, useBrowser, type WatchedPage } from './browser.js'
import { createClock, type TestClock } from './clock.js'
import { APP_ID, NOW, PAGE, TEMPLATE_ID } from './constants.js'
import type { Dialect } from './database.js'
import { ADMIN_PASSWORD } from './operator.js'
import { type TestService, useService } from './service.js'
import { insertUsers, type Users } from './users.js'

/** A service with operators, its simulated WeChat, and a clock that both go by. */
export interface DashboardStage {
  service: TestService
  clock: TestClock
  readonly wechat: SandboxControl
  has(...stories: Users[]): Promise<void>
}

/** It is ten o'clock at the start of each test, with empty tables. */
export function useDashboard(dialect: Dialect, env: Record<string, string> = {}): DashboardStage {
  const clock = createClock(NOW)
  let sandbox: Sandbox | undefined
  const running = (): Sandbox => {
    if (!sandbox) throw new Error('WeChat runs in hooks and tests only')
    return sandbox
  }
  beforeAll(async () => {
    sandbox = await startSandbox({ now: clock.now, accounts: [{ ...DEMO_ACCOUNT, appId: APP_ID }] })
  })
  const service = useService(dialect, {
    env: {
      ADMIN_PASSWORD,
      REMINDER_TEMPLATE_ID: TEMPLATE_ID,
      REMINDER_PAGE: PAGE,
      REMINDER_DATA: '{"keyword1":"日领积分","keyword2":"已经连续答题{streak}天","keyword4":"{date}"}',
      SEND_CONCURRENCY: '4',
      ...env,
    },
    wechatUrl: () => running().url,
    now: clock.now,
  })
  afterAll(() => running().close())
  afterEach(() => {
    running().control.clearFaults()
    clock.set(NOW)
  })
  return {
    service,
    clock,
    get wechat() {
      return running().control
    },
    has: (...stories) => {
      const now = clock.now()
      const today = businessDate(now, service.account.timezone)
      return insertUsers(service.db, running().control, { appId: APP_ID, today, now }, stories)
    },
  }
}

/** A live page that is closed leaves its stream unfinished, and Chromium calls a page that says no an error. */
const IS_MEANT =
  /no answer: .*\/dashboard\/events |console: Failed to load resource: .* status of 4\d\d .*\/dashboard\/(?!assets|events)/

/** What every page leaves behind after a test: no complaint of the browser. */
export function useOperatorsBrowser(stage: DashboardStage): {
  signIn(options?: BrowserContextOptions): Promise<Page>
  open: TestBrowser['open']
} {
  const browser = useBrowser()
  const opened: WatchedPage[] = []
  const open: TestBrowser['open'] = async (options) => {
    const watched = await browser.open(options)
    opened.push(watched)
    return watched
  }
  afterEach(async () => {
    const pages = opened.splice(0)
    for (const { page } of pages) await page.context().close()
    const troubles = pages.flatMap((watched) => watched.troubles).filter((line) => !IS_MEANT.test(line))
    expect(troubles).toEqual([])
  })
  return {
    open,
    async signIn(options) {
      const { page } = await open(options)
      await page.goto(`${stage.service.url}/`)
      await page.locator('#name').fill('王芳')
      await page.locator('#password').fill(ADMIN_PASSWORD)
      await page.locator('main button.main').click()
      await page.waitForURL(`${stage.service.url}/dashboard`)
      return page
    },
  }
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What a person with a screen reader, a keyboard or weak eyes would stumble over. */
export async function findBarriers(page: Page): Promise<string[]> {
  // By the developer tools, which the policy of the page does not concern.
  await page.evaluate(AXE)
  return page.evaluate(`axe.run().then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target.join(' ')).join(', ')))`)
}
