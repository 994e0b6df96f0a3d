import type { Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import type { UploadedPermit } from '../../src/permits/accept.js'
import { createIngest } from '../../src/permits/ingest.js'
import { DEMO_PAGE, DEMO_TEMPLATE_ID } from '../../src/sandbox/accounts.js'
import { startSandbox } from '../../src/sandbox/sandbox.js'
import { startCommand } from '../helpers/command-line.js'
import { createTestDatabase, emptyTables, type TestDatabase } from '../helpers/database.js'
import { eventually } from '../helpers/eventually.js'
import { noonZone } from '../helpers/noon-zone.js'
import { counts, NOW, openPool, recordQueries } from '../helpers/rows.js'
import { SERVICE_ENV } from '../helpers/service.js'

const APP_ID = SERVICE_ENV.WX_APP_ID

const permit = (userId: number, formId = `F${userId}`): UploadedPermit => ({
  appId: APP_ID,
  openId: `o${userId}`,
  userId,
  formId,
  source: 'form',
  page: undefined,
  submittedAt: undefined,
})

/** Whoever freezes in a transaction holds its rows until the server ends the session. SQLite has one lock for all. */
describe('rows that another transaction holds', () => {
  let database: TestDatabase
  let db: Knex
  let others: Knex

  beforeAll(async () => {
    database = await createTestDatabase('mysql')
    db = database.db
    others = openPool(database)
  })
  afterEach(() => emptyTables(db))
  afterAll(async () => {
    await others.destroy()
    await database.close()
  })

  async function hold(): Promise<Knex.Transaction> {
    const holder = await others.transaction()
    onTestFinished(async () => {
      if (!holder.isCompleted()) await holder.rollback()
    })
    return holder
  }

  const HELD: [string, (trx: Knex) => PromiseLike<unknown>][] = [
    ['a counter', (trx) => trx.raw('SELECT * FROM wx_message_push_status WHERE user_id = 1 FOR UPDATE')],
    [
      'a form_id that is not committed',
      (trx) =>
        trx('wx_save_form_id').insert({
          app_id: APP_ID,
          open_id: 'o1',
          user_id: 1,
          form_id: 'F1b',
          expire: NOW,
        }),
    ],
    [
      'a new person',
      (trx) =>
        trx('wx_user').insert({
          app_id: APP_ID,
          open_id: 'o9',
          user_id: 9,
          created_at: NOW,
          updated_at: NOW,
        }),
    ],
  ]
  test.each(HELD)('keep nobody else waiting: %s', async (_, take) => {
    const ingest = createIngest(db)
    await ingest.upload([permit(1)], NOW)
    const holder = await hold()
    await take(holder)
    let ended = false
    const stuck = ingest.upload([permit(1, 'F1b'), permit(9)], NOW).finally(() => {
      ended = true
    })
    const neighbours = Array.from({ length: 30 }, (_, i) => ingest.upload([permit(i + 10)], NOW))
    expect((await Promise.all(neighbours)).flat()).toEqual(Array(30).fill({ outcome: 'accepted' }))
    expect(await ingest.upload([permit(50)], NOW)).toEqual([{ outcome: 'accepted' }])
    expect(ended).toBe(false)
    await holder.rollback()
    expect(await stuck).toEqual([{ outcome: 'accepted' }, { outcome: 'accepted' }])
    expect(await counts(db, APP_ID)).toMatchObject({ 1: 2, 9: 1, 10: 1, 50: 1 })
    expect((await audit(db, NOW, false)).ok).toBe(true)
  })

  test('end an upload of the same user with a 503 after some seconds, with nothing stored', async () => {
    const ingest = createIngest(db)
    await ingest.upload([permit(1)], NOW)
    const holder = await hold()
    await holder.raw('SELECT * FROM wx_message_push_status WHERE user_id = 1 FOR UPDATE')
    await expect(ingest.upload([permit(1, 'G')], NOW)).rejects.toMatchObject({
      code: 'overloaded',
      status: 503,
    })
    await holder.rollback()
    expect(await counts(db, APP_ID)).toEqual({ 1: 1 })
    expect(await ingest.upload([permit(1, 'G')], NOW)).toEqual([{ outcome: 'accepted' }])
  })

  test('are looked for with one statement', async () => {
    const ingest = createIngest(db)
    const queries = recordQueries(db)
    await ingest.upload([permit(1)], NOW)
    const looks = queries.filter(({ sql }) => sql.includes('NOWAIT'))
    expect([looks.length, queries.length]).toEqual([1, 9])
  })

  test('are free some seconds after a process froze in its claim: the run goes on, and others upload meanwhile', async () => {
    const USERS = 1_200
    const sandbox = await startSandbox({ accounts: [{ appId: APP_ID, secret: SERVICE_ENV.WX_APP_SECRET }] })
    onTestFinished(sandbox.close)
    const formId = (userId: number) => sandbox.control.issueFormId({ openId: `o${userId}` })
    const ingest = createIngest(db)
    await ingest.upload(
      Array.from({ length: USERS }, (_, i) => permit(i + 1, formId(i + 1))),
      Date.now(),
    )
    const env = {
      ...SERVICE_ENV,
      DATABASE_URL: database.url,
      WX_API_BASE_URL: sandbox.url,
      TIMEZONE: noonZone(),
      REMINDER_TEMPLATE_ID: DEMO_TEMPLATE_ID,
      REMINDER_PAGE: DEMO_PAGE,
      SEND_CONCURRENCY: '16',
    }
    const frozen = startCommand(['remind', '--json'], {
      ...env,
      REMINDER_FAILPOINTS: 'claim.in_transaction=stop:2',
    })
    await eventually('it is frozen in a transaction', async () => {
      // The first of these is a copy that is not renewed while it is read more often.
      await db.raw('SELECT SLEEP(0.2)')
      const [idle] = await db.raw(
        `SELECT p.time FROM information_schema.innodb_trx t JOIN information_schema.processlist p
         ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND p.command = 'Sleep' AND p.time >= 1`,
      )
      return idle.length > 0
    })
    const [free]: { user_id: number }[][] = await db.raw(
      'SELECT user_id FROM wx_message_push_status FOR UPDATE SKIP LOCKED',
    )
    const freeUsers = new Set(free?.map(({ user_id }) => user_id))
    const held = Array.from({ length: USERS }, (_, i) => i + 1).find((userId) => !freeUsers.has(userId))
    let ended = false
    const stuck = ingest
      .upload([permit(held ?? 0, formId(held ?? 0))], Date.now())
      .catch(() => 'later')
      .finally(() => {
        ended = true
      })
    for (const userId of [...freeUsers].slice(0, 20))
      expect(await ingest.upload([permit(userId, formId(userId))], Date.now())).toEqual([
        { outcome: 'accepted' },
      ])
    expect(ended).toBe(false)

    const second = await startCommand(['remind', '--json'], env).ended
    expect(JSON.parse(second.stdout)).toMatchObject({ state: 'done', reason: null })
    expect(new Set(sandbox.control.ledger().map(({ open_id }) => open_id)).size).toBe(USERS)
    expect(sandbox.control.ledger()).toHaveLength(USERS)
    await stuck
    expect(await ingest.upload([permit(held ?? 0, formId(held ?? 0))], Date.now())).toEqual([
      { outcome: 'accepted' },
    ])
    frozen.kill('SIGCONT')
    await frozen.ended
    expect(sandbox.control.ledger()).toHaveLength(USERS)
    expect((await audit(db, Date.now(), false)).ok).toBe(true)
  })
})
