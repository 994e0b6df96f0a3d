import { describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../src/cli/run.js'
import { APP_ID, DAY_MS } from '../helpers/constants.js'
import { createTestDatabase } from '../helpers/database.js'
import { addPermits } from '../helpers/rows.js'

/** The command line in this very process, as main.ts calls it. */
async function call(words: string[], changes: Record<string, string> = {}) {
  const database = await createTestDatabase('sqlite')
  onTestFinished(() => database.close())
  await addPermits(
    database.db,
    [1, 2, 3].map((user_id) => ({ user_id, expire: Date.now() + 6.5 * DAY_MS })),
  )
  await database
    .db('wx_save_form_id')
    .where({ user_id: 3 })
    .update({ source: 'subscribe', template_id: 'new' })
  const written = { stdout: '', stderr: '' }
  const streams = {
    stdout: { write: (text: string) => (written.stdout += text) },
    stderr: { write: (text: string) => (written.stderr += text) },
  }
  const env = { WX_APP_ID: APP_ID, DATABASE_URL: database.url, REMINDER_TEMPLATE_ID: 'old', ...changes }
  const code = await run(['node', 'reminder', 'bridge', ...words], env, streams)
  return { code, ...written }
}

describe('bridge', () => {
  test('counts the users of both channels, as one JSON object or in lines', async () => {
    const { code, stdout } = await call(['--json'], { TEMPLATES: 'new' })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      channel: 'form_id',
      template_id: 'new',
      users: { total: 3, form_id: 2, subscribe: 1, both: 0, none: 0, stopped: 0 },
      run: { form_id: 2, subscribe: 1, lost: 2, gained: 1 },
    })
    const told = (await call(['--template', 'new'])).stdout.trim().split('\n')
    expect(told).toHaveLength(6)
    expect(told.at(-1)).toMatch(
      /^Run of \d{4}-\d{2}-\d{2}: 2 on form_id, 1 on subscribe; a switch loses 2 and gains 1\.$/,
    )
  })

  test('asks for the template where none is collected, and refuses what is none', async () => {
    const { code, stderr } = await call([])
    expect(code).toBe(1)
    expect(stderr).toContain('name it with --template')
    expect((await call(['--template', 'two words'])).code).toBe(1)
  })
})
