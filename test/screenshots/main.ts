import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser } from '../helpers/browser.js'

/**
 * `npm run screenshots`: takes the pictures of docs/images again, from the demo's data. Chinese ones in the dark, so that
 * both themes are seen.
 */

const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url))
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PORT = 3_950

const LANGUAGES = [
  { suffix: '', locale: 'en-US', colorScheme: 'light', name: 'Wang Fang' },
  { suffix: '.zh-CN', locale: 'zh-CN', colorScheme: 'dark', name: '王芳' },
] as const
/** User 7 of the demo meets lost answers and a used form_id. */
const PAGES = {
  today: '',
  permits: '/permits',
  history: '/history',
  user: '/user/7',
  messages: '/messages?state=dead',
  errors: '/errors',
  health: '/health',
}
const DESK = { width: 1280, height: 900 }
const PHONE = { width: 390, height: 844 }

const demo = spawn(process.execPath, ['--import', '@oxc-node/core/register', 'src/main.ts', 'demo'], {
  cwd: ROOT,
  env: { ...process.env, PORT: String(PORT) },
  stdio: ['ignore', 'pipe', 'ignore'],
})
const browser = await launchBrowser()
try {
  const password = await passwordOf(demo.stdout)
  for (const { suffix, locale, colorScheme, name } of LANGUAGES) {
    const page = await signIn(browser, { locale, colorScheme, viewport: DESK }, name, password)
    for (const [picture, path] of Object.entries(PAGES))
      await take(page, path, `dashboard-${picture}${suffix}.png`)
    const phone = await signIn(browser, { locale, colorScheme: 'light', viewport: PHONE }, name, password)
    await take(phone, '', `dashboard-phone${suffix}.png`)
  }
} finally {
  await browser.close()
  demo.kill('SIGTERM')
  if (demo.exitCode === null) await once(demo, 'exit')
}

/** Goes on reading: a pipe that nobody reads would stop the demo. */
function passwordOf(output: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    output.on('data', (chunk) => {
      text += String(chunk)
      const password = /its password +(\S+)\n/.exec(text)?.[1]
      if (password !== undefined) resolve(password)
    })
    output.on('end', () => reject(new Error(`The demo ended:\n${text}`)))
  })
}

async function signIn(
  from: Browser,
  options: BrowserContextOptions,
  name: string,
  password: string,
): Promise<Page> {
  const page = await (await from.newContext(options)).newPage()
  await page.goto(`http://127.0.0.1:${PORT}/dashboard`)
  await page.locator('#name').fill(name)
  await page.locator('#password').fill(password)
  await page.locator('main button.main').click()
  await page.waitForURL('**/dashboard')
  return page
}

async function take(page: Page, path: string, file: string): Promise<void> {
  await page.goto(`http://127.0.0.1:${PORT}/dashboard${path}`)
  await page.evaluate('document.fonts.ready')
  // Charts come up in 300 ms.
  if ((await page.locator('[data-chart]').count()) > 0) await page.waitForTimeout(1_000)
  await page.screenshot({ path: IMAGES + file })
}
