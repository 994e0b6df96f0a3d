import { describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../src/cli/run.js'
import { APP_ID, DAY_MS } from '../helpers/constants.js'
import { createTestDatabase } from '../helpers/database.js'
import { addPermits } from '../helpers/rows.js'

/** The command line in this very process, as main.ts calls it. */
async function call(words: string[], isTTY = false) {
  const database = await createTestDatabase('sqlite')
  onTestFinished(() => database.close())
  await addPermits(
    database.db,
    [1, 2, 2].map((user_id) => ({ user_id, expire: Date.now() + 6.5 * DAY_MS })),
  )
  const written = { stdout: '', stderr: '' }
  const streams = {
    stdout: { write: (text: string) => (written.stdout += text) },
    stderr: { write: (text: string) => (written.stderr += text), isTTY },
  }
  const env = { WX_APP_ID: APP_ID, DATABASE_URL: database.url, REMINDER_TEMPLATE_ID: 't' }
  const code = await run(['node', 'reminder', ...words], env, streams)
  return { code, ...written }
}

describe('forecast', () => {
  test('tells the coming seven days, as one JSON object or in lines', async () => {
    const { code, stdout } = await call(['forecast', '--json'])
    expect(code).toBe(0)
    const { days } = JSON.parse(stdout)
    expect(days).toHaveLength(7)
    expect(days.slice(0, 3)).toMatchObject([
      { reachable: 2, going_dark: 1 },
      { reachable: 1 },
      { reachable: 0 },
    ])
    const told = await call(['forecast', '--days', '2'])
    expect(told.stdout.split('\n')[0]).toMatch(
      /^\d{4}-\d{2}-\d{2}: 2 reachable, 3 permits left, 1 for the last time/,
    )
    expect(told.stdout.trim().split('\n')).toHaveLength(2)
  })

  test('refuses a number of days that cannot be forecast', async () => {
    for (const days of ['0', '31', '1.5', 'x']) {
      const { code, stderr } = await call(['forecast', '--days', days])
      expect(code).toBe(1)
      expect(stderr).toContain("argument '")
    }
  })

  test('without history, the back-test says so', async () => {
    const { code, stdout } = await call(['forecast', '--back-test', '--json'])
    expect({ code, answer: JSON.parse(stdout) }).toEqual({
      code: 0,
      answer: { from: null, to: null, rows: [] },
    })
    expect((await call(['forecast', '--back-test'])).stdout).toContain('There is no history to test yet')
  })
})
