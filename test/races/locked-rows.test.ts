import type { Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { audit } from '../../src/operations/audit.js'
import type { UploadedPermit } from '../../src/permits/accept.js'
import { createIngest } from '../../src/permits/ingest.js'
import { createTestDatabase, emptyTables, type TestDatabase } from '../helpers/database.js'
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
})
