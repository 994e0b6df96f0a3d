import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findAccount } from '../../src/cli/account.js'
import { readSettings } from '../../src/config/read.js'
import { startCommand } from '../helpers/command-line.js'
import { codeIn, languagesOf, read, rowsOf, wordOf } from './pages.js'

/** A README that nobody reads to the end says nothing. */
const MOST_LINES = 160

describe.each(languagesOf('README.md'))('%s', (page) => {
  const text = read(page)

  test('is short', () => {
    expect(text.split('\n').length).toBeLessThan(MOST_LINES)
  })

  test('begins with the two commands of a fresh machine, and has six for production', () => {
    const [setUp, production = ''] = codeIn(text, 'sh')
    expect(setUp).toBe('npm ci && npm run demo\nnpm ci && npm test\n')
    expect(production.trim().split('\n')).toHaveLength(6)
  })

  test('shows ten settings with which a run could start', () => {
    const shown = rowsOf(page, 'variable', '变量').map(([name, example]) => [wordOf(name), wordOf(example)])
    expect(shown).toHaveLength(10)
    const env: Record<string, string> = Object.fromEntries(shown)
    // Its secrets are samples, which nobody may use.
    expect(() => readSettings(env, 'reminders')).toThrow(
      /API_KEYS: .* sample[\s\S]*SESSION_SECRET: .* sample/,
    )
    const secret = randomBytes(32).toString('hex')
    const own = { ...env, API_KEYS: `backend:${secret}`, SESSION_SECRET: secret }
    expect(findAccount(readSettings(own, 'reminders').accounts, undefined).channel).toBe('subscribe')
  })
})

/** Which of WeChat's answers are lost depends on how its calls and their repetitions mix. All other numbers are fixed. */
const steady = (text: string) =>
  text.replace(/\d+( of WeChat's answers were lost)/, 'some$1').replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1')

test('the READMEs show what the demo prints', { tags: ['programs'] }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'reminder-demo-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { stdout } = await startCommand(['demo', '--once'], {}, folder).ended
  const printed = steady(stdout.trimEnd())
  expect(printed).toMatch(/The books agree\.$/)
  for (const page of languagesOf('README.md'))
    expect(steady(codeIn(read(page), 'text')[0] ?? ''), page).toContain(printed)
})
