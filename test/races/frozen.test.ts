import type { Knex } from 'knex'
import { expect, onTestFinished, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { audit } from '../../src/operations/audit.js'
import type { UploadedPermit } from '../../src/permits/accept.js'
import { createIngest } from '../../src/permits/ingest.js'
import { startSandbox } from '../../src/sandbox/sandbox.js'
import { startCommand } from '../helpers/command-line.js'
import { APP_ID, APP_SECRET, PAGE, TEMPLATE_ID } from '../helpers/constants.js'
import { createTestDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { noonZone } from '../helpers/noon-zone.js'

// @module-tag mysql
// @module-tag programs

const USERS = 1_200

/** SQLite has one lock for all, and no server that would end the session of whoever freezes with it. */
test('a process that freezes in its claim holds up nobody else, and another one ends the run: nobody twice', async () => {
  const database = await createTestDatabase('mysql')
  onTestFinished(database.close)
  const { db } = database
  const sandbox = await startSandbox({
    accounts: [
      {
        appId: APP_ID,
        secret: APP_SECRET,
        templates: { [TEMPLATE_ID]: ['keyword1', 'keyword2', 'keyword4'] },
        pages: [PAGE],
      },
    ],
  })
  onTestFinished(sandbox.close)
  const ingest = createIngest(db)
  const permit = (userId: number): UploadedPermit => ({
    appId: APP_ID,
    openId: `o${userId}`,
    userId,
    formId: sandbox.control.issueFormId({ openId: `o${userId}` }),
    source: 'form',
    page: undefined,
    submittedAt: undefined,
  })
  const users = Array.from({ length: USERS }, (_, i) => i + 1)
  await ingest.upload(users.map(permit), Date.now())

  const env = {
    DATABASE_URL: database.url,
    WX_APP_ID: APP_ID,
    WX_APP_SECRET: APP_SECRET,
    WX_API_BASE_URL: sandbox.url,
    TIMEZONE: noonZone(),
    REMINDER_TEMPLATE_ID: TEMPLATE_ID,
    REMINDER_PAGE: PAGE,
    REMINDER_DATA: '{"keyword1":"points","keyword2":"{streak}","keyword4":"{date}"}',
  }
  // The first claim is that of the one message that goes ahead of all.
  const frozen = startCommand(['remind', '--json'], {
    ...env,
    REMINDER_FAILPOINTS: 'claim.in_transaction=stop:2',
  })
  await eventually('it is frozen in its claim', () => isSomeoneIdleInTransaction(db))
  const free = await findFree(db)
  const held = users.filter((userId) => !free.has(userId))
  expect(held.length).toBeGreaterThan(0)

  const stuck = ingest.upload([permit(held[0] ?? 0)], Date.now()).catch(({ status }) => status)
  for (const userId of [...free].slice(0, 20))
    expect(await ingest.upload([permit(userId)], Date.now())).toEqual([{ outcome: 'accepted' }])
  expect(await findFree(db)).toEqual(free)

  const second = await startCommand(['remind', '--json'], env).ended
  expect(JSON.parse(second.stdout)).toMatchObject({ state: 'done', reason: null, retrying: 0 })
  expect(sandbox.control.ledger()).toHaveLength(USERS)
  expect([[{ outcome: 'accepted' }], 503]).toContainEqual(await stuck)

  frozen.kill('SIGCONT')
  await eventually('it says that its session is gone', () => frozen.stdout.includes('"error"'))
  expect(new Set(sandbox.control.ledger().map(({ open_id }) => open_id)).size).toBe(USERS)
  expect(sandbox.control.ledger()).toHaveLength(USERS)
  expect((await audit(db, Date.now(), false)).ok).toBe(true)
})

/** The server's list of transactions is a copy, which is not renewed while it is read more often than each 100 ms. */
async function isSomeoneIdleInTransaction(db: Knex): Promise<boolean> {
  await db.raw('DO SLEEP(0.2)')
  const idle = await selectRows(
    db,
    `SELECT 1 FROM information_schema.innodb_trx t JOIN information_schema.processlist p
       ON p.id = t.trx_mysql_thread_id
     WHERE p.db = DATABASE() AND p.command = 'Sleep' AND p.time >= 1`,
  )
  return idle.length > 0
}

/** Users whose counter nobody has locked. */
async function findFree(db: Knex): Promise<Set<number>> {
  const rows = await selectRows<{ user_id: number }>(
    db,
    'SELECT user_id FROM wx_message_push_status ORDER BY user_id FOR UPDATE SKIP LOCKED',
  )
  return new Set(rows.map(({ user_id }) => user_id))
}
