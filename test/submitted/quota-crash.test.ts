import { expect, onTestFinished, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { execute, selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import { createIngest } from '../../src/permits/ingest.js'
import { startSandbox } from '../../src/sandbox/sandbox.js'
import { startCommand } from '../helpers/command-line.js'
import { APP_ID, APP_SECRET, PAGE, SEND_PATH, TEMPLATE_ID } from '../helpers/constants.js'
import { createTestDatabase, dialects } from '../helpers/database.js'
import { noonZone } from '../helpers/noon-zone.js'
import { submitTo } from '../helpers/submitted.js'

// @module-tag programs

const MESSAGES = 40
const CONCURRENCY = 4

/** Where it dies, and how many messages may be counted whose request did not leave: those that were about to. */
const PLACES = [
  // The first takeover is that of reminders.
  { place: 'take_over.committed=kill:2', inDoubt: 0 },
  { place: 'mark.committed=kill:2', inDoubt: CONCURRENCY },
  { place: 'send.after=kill:9', inDoubt: CONCURRENCY },
  { place: 'settle.in_transaction=kill:1', inDoubt: CONCURRENCY },
]
const CASES = dialects.flatMap((dialect) => PLACES.map((where) => ({ dialect, ...where })))

test.each(CASES)(
  'a process killed at $place takes none of the quota with it on $dialect',
  async ({ dialect, place, inDoubt }) => {
    const { db, url, close } = await createTestDatabase(dialect)
    onTestFinished(close)
    const templates = { [TEMPLATE_ID]: ['keyword1', 'keyword2', 'keyword4'] }
    const sandbox = await startSandbox({
      accounts: [{ appId: APP_ID, secret: APP_SECRET, templates, pages: [PAGE] }],
    })
    onTestFinished(sandbox.close)
    const env = {
      DATABASE_URL: url,
      WX_APP_ID: APP_ID,
      WX_APP_SECRET: APP_SECRET,
      WX_API_BASE_URL: sandbox.url,
      TIMEZONE: noonZone(),
      REMINDER_TEMPLATE_ID: TEMPLATE_ID,
      REMINDER_PAGE: PAGE,
      REMINDER_DATA: '{"keyword1":"points","keyword2":"{streak}","keyword4":"{date}"}',
      SEND_CONCURRENCY: String(CONCURRENCY),
    }
    const users = Array.from({ length: MESSAGES }, (_, i) => i + 1)
    await createIngest(db).upload(
      users.map((userId) => ({
        appId: APP_ID,
        openId: `o${userId}`,
        userId,
        formId: sandbox.control.issueFormId({ openId: `o${userId}` }),
        source: 'form' as const,
        page: undefined,
        submittedAt: undefined,
      })),
      Date.now(),
    )
    await execute(
      db,
      `INSERT INTO wx_platform_answer (app_id, subject, answer, answered_at, version)
       VALUES (?, ?, '{"daily_limit":1000,"used":0,"remain":1000,"ended":0}', ?, 1)`,
      [APP_ID, `quota:${SEND_PATH}`, Date.now()],
    )
    const clock = { now: Date.now }
    await submitTo({ db, account: readAccount(env), clock } as Parameters<typeof submitTo>[0], users)

    const dies = await startCommand(['recover'], { ...env, REMINDER_FAILPOINTS: place }).ended
    expect(dies.signal).toBe('SIGKILL')
    await execute(db, 'UPDATE wx_claim SET lease_until = 1')
    const rest = await startCommand(['recover', '--json'], env).ended
    expect(JSON.parse(rest.stdout)).toMatchObject({ unknown: 0, failed: 0, retrying: 0, in_hand: 0 })

    expect(new Set(sandbox.control.ledger().map(({ open_id }) => open_id)).size).toBe(MESSAGES)
    const answers = Object.values(sandbox.control.stats().answers[SEND_PATH] ?? {})
    const requests = answers.reduce((sum, times) => sum + times, 0)
    const [use] = await selectRows<{ submitted: number }>(db, 'SELECT submitted FROM wx_quota_use')
    expect(use?.submitted).toBeGreaterThanOrEqual(requests)
    expect(use?.submitted).toBeLessThanOrEqual(requests + inDoubt)
    expect((await audit(db, Date.now(), false)).ok).toBe(true)
  },
)
