import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { findBrowser } from './find-browser.js'

/** What the browser would ask the internet for by itself stays unasked. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
]

/** A page that keeps account of what went wrong in it. */
export interface WatchedPage {
  page: Page
  /**
   * What should stay empty: errors on the console (a violated Content-Security-Policy is one), uncaught exceptions,
   * requests to another origin than the first page's, and requests that failed without an answer.
   */
  readonly troubles: string[]
}

export interface TestBrowser {
  /**
   * A page with cookies of its own, e.g. `{ locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 390, height: 844 } }`.
   */
  open(options?: BrowserContextOptions): Promise<WatchedPage>
}

/** One Chromium for the tests of a file, which have the tag `browser`. It can be used in hooks and tests. */
export function useBrowser(): TestBrowser {
  let browser: Browser | undefined
  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser?.close())
  return {
    async open(options = {}) {
      if (!browser) throw new Error('The browser runs in hooks and tests only')
      const context = await browser.newContext({ locale: 'en-US', ...options })
      return watch(await context.newPage())
    },
  }
}

/** A Chromium without a window. Whoever launches it closes it. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: findBrowser(), args: ARGUMENTS })
}

function watch(page: Page): WatchedPage {
  const troubles: string[] = []
  let origin: string | undefined
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(`console: ${message.text()} (${message.location().url})`)
  })
  page.on('pageerror', (error) => troubles.push(`exception: ${error.message}`))
  page.on('request', (request) => {
    const url = new URL(request.url())
    if (!/^https?:$/.test(url.protocol)) return
    origin ??= url.origin
    if (url.origin !== origin) troubles.push(`another origin: ${request.url()}`)
  })
  page.on('requestfailed', (request) => {
    troubles.push(`no answer: ${request.url()} (${request.failure()?.errorText ?? 'unknown'})`)
  })
  return { page, troubles }
}
