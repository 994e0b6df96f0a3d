import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { countUp } from '../../src/books/counters.js'
import { BLOCK } from '../../src/db/together.js'
import { audit } from '../../src/operations/audit.js'
import type { UploadedPermit } from '../../src/permits/accept.js'
import { createIngest } from '../../src/permits/ingest.js'
import { DAY_MS, NOW } from '../helpers/constants.js'
import { useDatabase } from '../helpers/database.js'
import { counts, openPool, recordQueries } from '../helpers/rows.js'
import { SERVICE_ENV } from '../helpers/service.js'

// @module-tag mysql

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
  const database = useDatabase('mysql')
  const { db } = database
  const others = openPool(database)
  afterAll(() => others.destroy())

  async function hold(): Promise<Knex.Transaction> {
    const holder = await others.transaction()
    onTestFinished(async () => {
      if (!holder.isCompleted()) await holder.rollback()
    })
    return holder
  }

  const HELD: [string, (trx: Knex.Transaction, formId: string) => PromiseLike<unknown>][] = [
    ['a counter', (trx) => trx.raw('SELECT * FROM wx_message_push_status WHERE user_id = 1 FOR UPDATE')],
    [
      'a form_id that is not committed',
      (trx, formId) =>
        trx('wx_save_form_id').insert({
          app_id: APP_ID,
          open_id: 'o1',
          user_id: 1,
          form_id: formId,
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
    [
      'the gap before a form_id, which a duplicate locks and no look finds',
      async (trx, formId) => {
        const settled = {
          app_id: APP_ID,
          open_id: 'o8',
          user_id: 8,
          form_id: `${formId}~`,
          expire: NOW,
          status: 2,
        }
        await db('wx_save_form_id').insert(settled)
        await trx('wx_save_form_id').insert(settled).onConflict().ignore()
      },
    ],
  ]
  test.each(HELD)('rows that another transaction holds keep nobody else waiting: %s', async (_, take) => {
    const ingest = createIngest(db)
    await ingest.upload([permit(1), permit(8), permit(10)], NOW)
    const holder = await hold()
    // A new name in each test: what was deleted stays in the index for a while, and then an insert locks a gap too.
    const formId = `held-${randomUUID()}`
    await take(holder, formId)
    const neighbours = (first: number) =>
      Array.from({ length: 15 }, (_, i) => ingest.upload([permit(first + i)], NOW))
    let ended = false
    const before = neighbours(20)
    const stuck = ingest.upload([permit(1, formId), permit(9)], NOW).finally(() => {
      ended = true
    })
    const after = neighbours(40)
    expect((await Promise.all([...before, ...after])).flat()).toEqual(Array(30).fill({ outcome: 'accepted' }))
    expect(await ingest.upload([permit(60)], NOW)).toEqual([{ outcome: 'accepted' }])
    expect(ended).toBe(false)
    await holder.rollback()
    expect(await stuck).toEqual([{ outcome: 'accepted' }, { outcome: 'accepted' }])
    expect(await counts(db, APP_ID)).toMatchObject({ 1: 2, 9: 1, 20: 1, 60: 1 })
    expect((await audit(db, NOW, false)).ok).toBe(true)
  })

  test('tell an upload of a form_id what became of it once the other transaction has ended', async () => {
    const ingest = createIngest(db)
    const holder = await hold()
    const formId = `held-${randomUUID()}`
    await holder('wx_save_form_id').insert({
      app_id: APP_ID,
      open_id: 'o2',
      user_id: 2,
      form_id: formId,
      expire: NOW + DAY_MS,
    })
    await countUp(holder, [{ appId: APP_ID, userId: 2, by: 1 }], NOW)
    const stuck = ingest.upload([permit(1, formId), permit(1)], NOW)
    expect(await ingest.upload([permit(3)], NOW)).toEqual([{ outcome: 'accepted' }])
    await holder.commit()
    expect(await stuck).toEqual([
      { outcome: 'rejected', reason: 'belongs_to_another_user' },
      { outcome: 'accepted' },
    ])
    expect(await counts(db, APP_ID)).toEqual({ 1: 1, 2: 1, 3: 1 })
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

  test('rows that another transaction holds are looked for with the one statement that reads what is known', async () => {
    const ingest = createIngest(db)
    await ingest.upload([permit(1)], NOW)
    const queries = recordQueries(db)
    await ingest.upload([permit(1, 'G'), permit(2)], NOW)
    const looks = queries.filter(({ sql }) => sql.includes('NOWAIT'))
    // Then one block that stores them; MySQL has no blocks, and takes each statement by itself.
    const isBlock = queries.some(({ sql }) => sql.includes(BLOCK))
    expect([looks.length, queries.length]).toEqual([1, isBlock ? 2 : 6])
  })
})
