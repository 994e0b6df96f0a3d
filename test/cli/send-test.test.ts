import { describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../src/cli/run.js'
import { execute } from '../../src/db/sql.js'
import { startSandbox } from '../../src/sandbox/sandbox.js'
import { APP_ID, APP_SECRET, DAY_MS, SEND_PATH, TEMPLATE_ID } from '../helpers/constants.js'
import { createTestDatabase } from '../helpers/database.js'
import { addPermits } from '../helpers/rows.js'

const OPEN_ID = 'oTester000000000000000000007'

async function setUp() {
  const database = await createTestDatabase('sqlite')
  const sandbox = await startSandbox()
  onTestFinished(async () => {
    await sandbox.close()
    await database.close()
  })
  const { control, url } = sandbox
  const form_id = control.issueFormId({ openId: OPEN_ID })
  await addPermits(database.db, [{ user_id: 7, open_id: OPEN_ID, form_id, expire: Date.now() + DAY_MS }])
  const env = {
    WX_APP_ID: APP_ID,
    WX_APP_SECRET: APP_SECRET,
    WX_API_BASE_URL: url,
    DATABASE_URL: database.url,
    REMINDER_TEMPLATE_ID: TEMPLATE_ID,
    REMINDER_DATA: '{"keyword1":"日领积分","keyword2":"{streak}","keyword4":"{date}"}',
    LOG_LEVEL: 'silent',
  }
  /** The command line in this very process, as main.ts calls it. */
  async function call(...words: string[]) {
    const written = { stdout: '', stderr: '' }
    const streams = {
      stdout: { write: (text: string) => (written.stdout += text) },
      stderr: { write: (text: string) => (written.stderr += text) },
    }
    const code = await run(['node', 'reminder', 'send-test', ...words], env, streams)
    return { code, ...written }
  }
  return { call, control, db: database.db }
}

describe('send-test', () => {
  test('ends with 0 when WeChat took the message, and names the permit and not the person', async () => {
    const { call, control } = await setUp()
    const { code, stdout } = await call('--to', OPEN_ID)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Message \d+ to oTes\S+, user 7, with permit \d+ \(form, [0-9a-f]{12}\)\n╭/)
    expect(stdout).toContain('WeChat accepted it.')
    expect(stdout).toContain('微信已接收。')
    expect(stdout).not.toContain(OPEN_ID)
    expect(control.ledger()).toMatchObject([{ open_id: OPEN_ID }])
  })

  test('ends with 2 when WeChat refused it, with the code explained and what to do', async () => {
    const { call, control } = await setUp()
    control.addFault({ kind: 'errcode', errcode: 41030, match: { path: SEND_PATH } })
    const { code, stdout } = await call('--to', OPEN_ID, '--json')
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'cancelled',
      errcode: 41030,
      name: expect.any(String),
      meaning: expect.stringContaining('page'),
      what_to_do: expect.stringContaining('given back'),
      what_to_do_zh: expect.stringContaining('凭证已退还'),
    })
    const told = await call('--to', OPEN_ID)
    expect(told.stdout).toMatch(/cancelled: 41030, .*rid /)
  })

  test('ends with 1 and sends nothing to somebody without a permit, or unknown', async () => {
    const { call, control, db } = await setUp()
    const unknown = await call('--to', 'oNobody', '--json')
    expect(unknown.code).toBe(1)
    expect(JSON.parse(unknown.stdout).error).toMatchObject({ code: 'not_found' })
    await execute(db, 'UPDATE wx_save_form_id SET status = 2')
    await execute(db, 'UPDATE wx_message_push_status SET count = 0')
    const without = await call('--to', OPEN_ID)
    expect(without).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('no permit') })
    expect(without.stderr).not.toContain(OPEN_ID)
    expect((await call('--to', ' ')).code).toBe(1)
    expect((await call()).code).toBe(1)
    expect(control.ledger()).toEqual([])
  })
})
