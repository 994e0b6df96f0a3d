import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { run } from '../../src/cli/run.js'
import { APP_ID } from '../helpers/constants.js'
import { createTestDatabase } from '../helpers/database.js'

const ENV = {
  WX_APP_ID: APP_ID,
  REMINDER_DATA: '{"keyword1":"{date}"}',
  REMINDER_TEMPLATE_ID: 't',
}

/** The command line in this very process, as main.ts calls it. */
async function call(words: string[], env: Record<string, string> = {}) {
  const written = { stdout: '', stderr: '' }
  const streams = {
    stdout: { write: (text: string) => (written.stdout += text) },
    stderr: { write: (text: string) => (written.stderr += text) },
  }
  const code = await run(['node', 'reminder', ...words], { ...ENV, ...env }, streams)
  return { code, ...written }
}

test('a command answers one JSON object on stdout, names its database on stderr, and ends with its code', async () => {
  const database = await createTestDatabase('sqlite')
  onTestFinished(() => database.close())
  const { code, stdout, stderr } = await call(['audit', '--json'], { DATABASE_URL: database.url })
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ ok: true })
  expect(stderr).toMatch(/^Database: /)
})

test('explain says why in both languages and check by check, and with --json what HTTP answers', async () => {
  const database = await createTestDatabase('sqlite')
  onTestFinished(() => database.close())
  await database.db('wx_message_push_status').insert({ app_id: APP_ID, user_id: 7, count: 0 })
  const env = { DATABASE_URL: database.url }
  const { code, stdout } = await call(['explain', '7', '--date', '2026-11-20', '--json'], env)
  const explanation = JSON.parse(stdout)
  expect({ code, explanation }).toMatchObject({
    code: 0,
    explanation: { user_id: 7, date: '2026-11-20', outcome: expect.any(String), checks: expect.any(Array) },
  })
  const lines = (await call(['explain', '7', '--date', '2026-11-20'], env)).stdout.trim().split('\n')
  expect(lines.slice(1, 3)).toEqual([explanation.sentence, explanation.sentence_zh])
  expect(lines.slice(3)).toHaveLength(explanation.checks.length)
  expect(lines[3]).toMatch(/^(ok|not ok) +known: /)
  expect((await call(['explain', '8', '--json'], env)).stdout).toContain('"outcome":"not_known"')
  expect(await call(['explain', 'x'], env)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('A user id is a whole number'),
  })
})

test('an error is told in words on stderr, and with --json as an object on stdout', async () => {
  const { code, stdout, stderr } = await call(['audit', '--json'], { DATABASE_URL: 'sqlite:./none/none.db' })
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'not_ready' } })
  expect(stderr).toContain('There is no database at')
})

test('faults in the settings are told all at once', async () => {
  const { code, stderr } = await call(['plan'], { PORT: 'x', TIMEZONE: 'Mars' })
  expect(code).toBe(1)
  expect(stderr).toContain('PORT: "x" is not a port from 0 to 65535')
  expect(stderr).toContain('TIMEZONE: "Mars" is not an IANA time zone')
})

test('--version prints the version of package.json', async () => {
  const packageJson = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(packageJson, 'utf8'))
  expect(await call(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test('words that make no sense end with code 1, and help with 0', async () => {
  expect(await call(['remaind'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("unknown command 'remaind'"),
  })
  expect(await call(['plan', '--date', 'tomorrow'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Write the day as YYYY-MM-DD.'),
  })
  expect(await call(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Commands:') })
})

test('the signals are listened to while a command runs, and no longer', async () => {
  const before = process.listenerCount('SIGTERM')
  await call(['--help'])
  expect(process.listenerCount('SIGTERM')).toBe(before)
})
