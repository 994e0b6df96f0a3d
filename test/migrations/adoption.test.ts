import fc from 'fast-check'
import knex, { type Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { knexConfig } from '../../src/db/connect.js'
import { withMigrationLock } from '../../src/db/migration-lock.js'
import { selectRows } from '../../src/db/sql.js'
import { businessDate } from '../../src/lib/business-date.js'
import { migrationsFor } from '../../src/schema.js'
import { createEmptyDatabase, dialects, migrate, type TestDatabase } from '../helpers/database.js'
import {
  createOldTables,
  dropAllTables,
  insertOldRows,
  type OldCounter,
  type OldPermit,
  readCounters,
  readPermits,
  wrongCounters,
} from './old-tables.js'

const DAY1 = 1_560_000_000_000
const DAY2 = DAY1 + 86_400_000
const todayInChina = () => businessDate(Date.now(), 'Asia/Shanghai')
const LAST_OF_ADOPTION = '20261121000400_adopt_wx_message_push_status'

const permit = (id: number, values: Partial<OldPermit> = {}): OldPermit => ({
  id,
  open_id: 'oOpen',
  user_id: 1,
  form_id: `form-${id}`,
  expire: DAY1,
  status: 0,
  ...values,
})
const counter = (id: number, user_id: number | null, count: number | null, last_date: number | null = 0) => ({
  id,
  user_id,
  count,
  last_date,
})

/** 89 letters: the column of the old table holds 100. */
const TRIAL = 'The formId is no longer available in develop or trial version of this mini program'

/** What ten years of hand edits leave: [row, what becomes of it]. */
const NASTY_PERMITS: [OldPermit, { status?: number; use_no?: number; [column: string]: unknown }][] = [
  [permit(0, { user_id: 9 }), {}],
  [permit(1), {}],
  [permit(2, { status: 1 }), {}],
  [permit(3, { status: 2 }), {}],
  [permit(4, { status: null }), { status: 2 }],
  [permit(5, { status: 7 }), { status: 2 }],
  [permit(6, { status: -1 }), { status: 2 }],
  // Of three unspent rows the one that expires first stays.
  [permit(10, { form_id: 'twin', expire: DAY2, user_id: 2 }), { status: 2, use_no: 2 }],
  [permit(11, { form_id: 'twin', expire: DAY1, user_id: 3 }), {}],
  [permit(12, { form_id: 'twin', expire: DAY2 + 1 }), { status: 2, use_no: 3 }],
  // Where one is spent, none stays.
  [permit(13, { form_id: 'spent', expire: DAY1 }), { status: 2, use_no: 2 }],
  [permit(14, { form_id: 'spent', expire: DAY2, status: 1 }), { use_no: 1 }],
  [permit(15, { form_id: 'spent', expire: DAY2 }), { status: 2, use_no: 3 }],
  // An expired one does not count against the unspent one.
  [permit(16, { form_id: 'stale', expire: DAY1, status: 2 }), { use_no: 2 }],
  [permit(17, { form_id: 'stale', expire: DAY2 }), { use_no: 1 }],
  // WeChat's ids differ by case.
  [permit(20, { form_id: 'Case' }), {}],
  [permit(21, { form_id: 'cASE' }), {}],
  [permit(22, { form_id: '  padded  ' }), { form_id: 'padded' }],
  [permit(23, { form_id: 'padded' }), { status: 2, use_no: 2 }],
  [permit(30, { form_id: null }), { form_id: '', status: 2 }],
  [permit(31, { form_id: '' }), { status: 2, use_no: 2 }],
  [permit(32, { open_id: null }), { open_id: '', status: 2 }],
  [permit(33, { user_id: null }), { user_id: 0, status: 2 }],
  [permit(34, { expire: null }), { expire: 0, status: 2 }],
  [permit(40, { expire: 1_560_000_000 }), { expire: DAY1 }],
  [permit(41, { expire: 12 }), {}],
  // Nobody's: the old program wrote 0 where it knew no user.
  [permit(50, { user_id: 0 }), { status: 2 }],
  [permit(51, { user_id: -7 }), { status: 2 }],
  [permit(52, { user_id: -7, status: 1 }), {}],
  // What clients post that have no form_id.
  [permit(60, { form_id: 'the formId is a mock one' }), { status: 2 }],
  [permit(61, { form_id: ' The FormID is a mock one ' }), { form_id: 'The FormID is a mock one', status: 2 }],
  [permit(62, { form_id: 'requestFormId:fail deprecated' }), { status: 2 }],
  [permit(63, { form_id: 'undefined' }), { status: 2 }],
  [permit(64, { form_id: 'NULL' }), { status: 2 }],
  [permit(65, { form_id: TRIAL }), { status: 2 }],
  [permit(4_000_000_000, { user_id: 2_000_000_000 }), {}],
]

const NASTY_COUNTERS = [
  counter(1, 1, 250, 20190601),
  counter(2, 1, -3, 20190608),
  counter(3, 1, null, null),
  counter(4, 2, 5, 20190607),
  counter(5, 5, 4, DAY1),
  counter(6, null, 1),
  counter(7, null, null),
  // Days that are still to come: such a user would not be reminded until then.
  counter(8, 6, 0, 20991231),
  counter(9, 8, 0, 99999999),
]

describe.each(dialects)('adoption of the published tables on %s', (dialect) => {
  let database: TestDatabase
  let db: Knex

  beforeAll(async () => {
    database = await createEmptyDatabase(dialect)
    db = database.db
  })
  afterEach(() => dropAllTables(db))
  afterAll(() => database.close())

  const adopt = async (permits: OldPermit[], counters: OldCounter[], appId = '') => {
    const messages: string[] = []
    await createOldTables(db, { uniqueUser: false })
    await insertOldRows(db, permits, counters)
    await migrate(db, { onMessage: (message) => messages.push(message), appId })
    return messages
  }
  const adoptNasty = (appId = '') =>
    adopt(
      NASTY_PERMITS.map(([row]) => row),
      NASTY_COUNTERS,
      appId,
    )

  test('keeps every permit and makes it fit for the rules', async () => {
    await adoptNasty()
    expect(await readPermits(db)).toEqual(
      NASTY_PERMITS.map(([row, becomes]) => ({ app_id: '', use_no: 1, ...row, ...becomes })),
    )
  })

  // Adopted before midnight in Shanghai and read after it, the counters are of yesterday: then it runs again.
  test('merges counters, keeps the latest day and counts anew', { retry: 1 }, async () => {
    await adoptNasty()
    const today = todayInChina()
    expect(await readCounters(db)).toMatchObject([
      { user_id: -7, count: 0, last_date: 0 },
      { id: 6, user_id: 0, count: 0, last_date: 0 },
      { id: 1, user_id: 1, count: 7, last_date: 20190608 },
      { id: 4, user_id: 2, count: 0, last_date: 20190607 },
      { user_id: 3, count: 1, last_date: 0 },
      { id: 5, user_id: 5, count: 0, last_date: 20190608 },
      { id: 8, user_id: 6, count: 0, last_date: today },
      { id: 9, user_id: 8, count: 0, last_date: today },
      { user_id: 9, count: 1, last_date: 0 },
      { user_id: 2_000_000_000, count: 1, last_date: 0 },
    ])
    expect(await wrongCounters(db)).toEqual([])
  })

  test('tells the operator what it changed, one line for each kind', async () => {
    const messages = await adoptNasty('wxA')
    expect(messages).toEqual([
      'wx_save_form_id: 3 rows with a status other than 0, 1, 2: set to 2 (expired)',
      'wx_save_form_id: 7 rows unspent, without a usable open_id, user_id, form_id or expire: set to 2',
      'wx_save_form_id: 6 rows unspent, with a text of the developer tools or of a failed request in place of a form_id: set to 2',
      expect.stringMatching(
        /^wx_save_form_id: [45] rows with an id that was NULL, padded, too long or not ASCII: rewritten$/,
      ),
      'wx_save_form_id: adopted with 36 rows, added app_id, use_no, source, template_id, page, message_id, errcode, tapped_at, confirmed_at, created_at, updated_at',
      'wx_save_form_id: 36 rows without an account: assigned to wxA',
      'wx_save_form_id: 1 row with expire in seconds: now in ms',
      'wx_save_form_id: 7 rows with the form_id of another row: numbered 2 and up in use_no',
      'wx_save_form_id: 5 rows of these were unspent: set to 2 (expired)',
      'wx_message_push_status: 4 rows with a NULL or a negative count: set to 0',
      'wx_message_push_status: adopted with 9 rows, added app_id, created_at, updated_at',
      'wx_message_push_status: 9 rows without an account: assigned to wxA',
      'wx_message_push_status: 1 row with a time in last_date: now YYYYMMDD',
      'wx_message_push_status: 2 rows with a future day in last_date: set to today',
      'wx_message_push_status: 3 rows merged into another row of the same user',
      'wx_message_push_status: 4 rows created for users who had permits and no counter',
      expect.stringMatching(
        /^wx_message_push_status: \d rows given the number of the user's unspent permits as count$/,
      ),
    ])
  })

  test('gives the rows to the account when it is known', async () => {
    await adoptNasty('wxA')
    const owners = [...(await readPermits(db)), ...(await readCounters(db))].map(({ app_id }) => app_id)
    expect(new Set(owners)).toEqual(new Set(['wxA']))
    expect(await wrongCounters(db)).toEqual([])
  })

  test('expires ids that are no ASCII or too long', async () => {
    await createOldTables(db)
    if (dialect === 'mysql') await db.raw('ALTER TABLE wx_save_form_id MODIFY form_id varchar(300)')
    await insertOldRows(
      db,
      [
        permit(1, { form_id: '表单号一' }),
        permit(2, { form_id: '表单号二' }),
        permit(3, { open_id: 'é' }),
        permit(4, { form_id: 'x'.repeat(200) }),
        permit(5, { form_id: 'é', status: 1 }),
      ],
      [],
    )
    await migrate(db)
    expect((await readPermits(db)).map(({ id, status }) => [id, status])).toEqual([
      [1, 2],
      [2, 2],
      [3, 2],
      [4, 2],
      [5, 1],
    ])
  })

  test('keeps columns that others have added', async () => {
    await createOldTables(db)
    await db.raw("ALTER TABLE wx_save_form_id ADD COLUMN remark varchar(20) DEFAULT 'vip'")
    await insertOldRows(db, [permit(1)], [])
    await migrate(db)
    expect(await db('wx_save_form_id').select('id', 'remark')).toEqual([{ id: 1, remark: 'vip' }])
  })

  test('changes nothing the second time, down and up again included', async () => {
    await adoptNasty('wxA')
    const before = [await readPermits(db), await readCounters(db)]
    const messages: string[] = []
    await migrate(db, { onMessage: (message) => messages.push(message) })
    expect(messages).toEqual([])
    await db.migrate.rollback(migrationsFor(db, { onMessage: () => {}, appId: '' }), true)
    expect([await readPermits(db), await readCounters(db)]).toEqual(before)
    await migrate(db, { onMessage: (message) => messages.push(message) })
    // The published unique key, which the rollback had put back.
    expect(messages.filter((message) => !message.includes('unique key user_id'))).toEqual([])
    expect([await readPermits(db), await readCounters(db)]).toEqual(before)
  })

  test('lets the old program write again after a rollback, and adopts what it wrote', async () => {
    await adoptNasty('wxA')
    await db.migrate.rollback(migrationsFor(db, { onMessage: () => {}, appId: '' }), true)
    await db('wx_save_form_id').insert([
      { open_id: 'oOpen', user_id: 1, form_id: 'again', expire: DAY2 },
      { open_id: 'oOpen', user_id: 1, form_id: 'again', expire: DAY1 },
      { open_id: 'oOpen', user_id: 1, form_id: 'form-2', expire: DAY1 },
    ])
    await migrate(db, { appId: 'wxA' })
    const written = (await readPermits(db)).filter(({ id }) => id > 4_000_000_000)
    expect(written.map(({ form_id, use_no, status }) => [form_id, use_no, status])).toEqual([
      ['again', 2, 2],
      ['again', 1, 0],
      ['form-2', 2, 2],
    ])
    expect(await wrongCounters(db)).toEqual([])
  })

  test('keeps the three uses of a prepay_id through a rollback', async () => {
    await migrate(db)
    const use = (use_no: number) => ({
      ...permit(use_no, { form_id: 'prepay' }),
      app_id: 'wxA',
      use_no,
      source: 'pay',
    })
    await db('wx_save_form_id').insert([use(1), use(2), use(3)])
    await db.migrate.rollback(migrationsFor(db, { onMessage: () => {}, appId: '' }), true)
    await migrate(db)
    expect((await readPermits(db)).map(({ use_no, status }) => [use_no, status])).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
    ])
  })

  test('refuses a table of the same name that is another one', async () => {
    await db.raw('CREATE TABLE wx_save_form_id (id int, form_id char(100))')
    await expect(migrate(db)).rejects.toThrow(/wx_save_form_id exists but has no open_id, user_id, expire/)
  })

  test('holds the rules on any data', { tags: ['long'] }, async () => {
    const id = fc.constantFrom('a', 'A', 'b', 'b ', ' b', '', null, 'é', '？', '?')
    const permits = fc.array(
      fc.record({
        open_id: id,
        user_id: fc.constantFrom(1, 2, 3, -1, 0, null),
        form_id: id,
        expire: fc.constantFrom(DAY1, DAY2, DAY1 / 1000, 0, -5, null),
        status: fc.constantFrom(0, 0, 0, 1, 2, 3, -1, null),
      }),
      { maxLength: 30 },
    )
    const counters = fc.array(
      fc.record({
        user_id: fc.constantFrom(1, 2, 3, 4, 0, null),
        count: fc.constantFrom(0, 1, 9, -4, null),
        last_date: fc.constantFrom(0, 20190601, 20190602, null),
      }),
      { maxLength: 10 },
    )
    const numbered = <T>(rows: T[]): (T & { id: number })[] =>
      rows.map((row, index) => ({ ...row, id: index * 3 }))
    await fc.assert(
      fc
        .asyncProperty(permits.map(numbered), counters.map(numbered), async (oldPermits, oldCounters) => {
          await adopt(oldPermits, oldCounters, 'wxA')
          const rows = await readPermits(db)
          expect(rows.map(({ id }) => id)).toEqual(oldPermits.map(({ id }) => id))
          expect(await wrongCounters(db)).toEqual([])

          const oldOf = new Map(oldPermits.map((row) => [row.id, row]))
          for (const row of rows) {
            const old = oldOf.get(row.id)
            if (row.status === 0) expect(old?.status).toBe(0)
            if (old?.status === 1) expect(row.status).toBe(1)
          }
          for (const formId of new Set(rows.map(({ form_id }) => form_id))) {
            const same = rows.filter(({ form_id }) => form_id === formId)
            const unspent = same.filter(({ status }) => status === 0)
            expect(unspent.length).toBeLessThanOrEqual(same.some(({ status }) => status === 1) ? 0 : 1)
            expect(new Set(same.map(({ use_no }) => use_no)).size).toBe(same.length)
          }
          const latest = (userId: number) =>
            Math.max(
              0,
              ...oldCounters.filter((c) => (c.user_id ?? 0) === userId).map((c) => c.last_date ?? 0),
            )
          for (const row of await readCounters(db)) expect(row.last_date).toBe(latest(row.user_id))
        })
        .afterEach(() => dropAllTables(db)),
      { numRuns: dialect === 'sqlite' ? 60 : 12 },
    )
  })
})

describe('adoption on MySQL', { tags: ['mysql'] }, () => {
  let database: TestDatabase
  let db: Knex

  beforeAll(async () => {
    database = await createEmptyDatabase('mysql')
    db = database.db
  })
  afterEach(() => dropAllTables(db))
  afterAll(() => database.close())

  const rows = NASTY_PERMITS.map(([row]) => row)
  const state = async () => ({ permits: await readPermits(db), counters: await readCounters(db) })

  test('takes MyISAM tables in utf8mb3 and a unique key on the user alone', async () => {
    await createOldTables(db, { engine: 'MyISAM' })
    await insertOldRows(db, rows, [counter(1, 1, 5), counter(2, null, 1), counter(3, null, 2)])
    await db.raw('ALTER TABLE wx_save_form_id ROW_FORMAT=FIXED')
    const messages: string[] = []
    await migrate(db, { onMessage: (message) => messages.push(message) })
    expect(messages).toContain(
      'wx_message_push_status: unique key user_id (user_id) dropped, one with app_id takes its place',
    )
    expect((await readPermits(db)).length).toBe(rows.length)
    expect(await wrongCounters(db)).toEqual([])
    const engines = await selectRows(
      db,
      "SELECT DISTINCT engine AS engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name LIKE 'wx%'",
    )
    expect(engines).toEqual([{ engine: 'InnoDB' }])
  })

  test('puts the published unique key back on a rollback', async () => {
    await createOldTables(db)
    await insertOldRows(db, [], [counter(1, 1, 5)])
    await migrate(db)
    await db.migrate.rollback(migrationsFor(db, { onMessage: () => {}, appId: '' }), true)
    await expect(db('wx_message_push_status').insert({ user_id: 1 })).rejects.toThrow(/Duplicate entry/)
  })

  test('stores the rows by user, and by id again after a rollback', async () => {
    const primaryKeys = () =>
      selectRows(
        db,
        `SELECT table_name AS name, GROUP_CONCAT(column_name ORDER BY seq_in_index) AS columns
         FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name = 'PRIMARY'
           AND table_name IN ('wx_save_form_id', 'wx_message_push_status') GROUP BY table_name ORDER BY table_name`,
      )
    await createOldTables(db)
    await insertOldRows(db, rows, [counter(0, 7, 5), counter(1, 1, 5)])
    await migrate(db)
    expect(await primaryKeys()).toEqual([
      { name: 'wx_message_push_status', columns: 'app_id,user_id' },
      { name: 'wx_save_form_id', columns: 'app_id,user_id,expire,id' },
    ])
    const adopted = await state()
    await db.migrate.rollback(migrationsFor(db, { onMessage: () => {}, appId: '' }), true)
    expect(await primaryKeys()).toEqual([
      { name: 'wx_message_push_status', columns: 'id' },
      { name: 'wx_save_form_id', columns: 'id' },
    ])
    expect(await state()).toEqual(adopted)
    await db('wx_save_form_id').insert({ open_id: 'o', user_id: 1, form_id: 'next', expire: DAY1 })
    expect(await db('wx_save_form_id').where({ form_id: 'next' }).pluck('id')).toEqual([4_000_000_001])
    const taken = db('wx_save_form_id').insert({
      id: 1,
      open_id: 'o',
      user_id: 2,
      form_id: 'other',
      expire: 1,
    })
    await expect(taken).rejects.toThrow(/Duplicate entry '1' for key '(wx_save_form_id\.)?PRIMARY'/)
  })

  // The first is not carried on; its rollback finds the key dropped, and that migration not on record.
  test.each([
    ['in the statement after the key is dropped', /DROP INDEX `?user_id/, false],
    ['before the keys of ours are there, and one that carried on', /use_no = 1|ADD COLUMN/, true],
    ['after them, and one that carried on', /CREATE TABLE IF NOT EXISTS wx_job_run/, true],
  ])('puts it back on one rollback after a migration that died %s', async (_, last, carriesOn) => {
    const params = { onMessage: () => {}, appId: 'wxA' }
    const migrateWith = async (life: number) => {
      await createOldTables(db)
      await insertOldRows(db, [permit(1), permit(2)], [counter(1, 1, 5)])
      const { db: dying, writes } = openDyingDatabase(database.url, life)
      await dying.migrate.latest(migrationsFor(dying, params)).catch(() => {})
      await dying.destroy()
      return writes
    }
    const writes = await migrateWith(Number.POSITIVE_INFINITY)
    await dropAllTables(db)
    const life = writes.findIndex((sql) => last.test(sql)) + 1
    expect(life).toBeGreaterThan(1)
    expect(await migrateWith(life)).toHaveLength(life)
    if (carriesOn) await migrate(db, { appId: 'wxA' })
    else await db.migrate.forceFreeMigrationsLock()
    await db.migrate.rollback(migrationsFor(db, params))
    const twin = db('wx_message_push_status').insert({ user_id: 1, count: 1 })
    await expect(twin).rejects.toThrow(/Duplicate entry/)
  })

  test('takes a copy that has lost its primary key', async () => {
    await createOldTables(db)
    await insertOldRows(db, [permit(0), permit(1)], [])
    await db.raw('ALTER TABLE wx_save_form_id MODIFY id int unsigned NOT NULL, DROP PRIMARY KEY')
    await migrate(db)
    expect((await readPermits(db)).map(({ id }) => id)).toEqual([0, 1])
    await db('wx_save_form_id').insert({ open_id: 'o', user_id: 1, form_id: 'next', expire: DAY1 })
    expect((await readPermits(db)).map(({ id }) => id)).toEqual([0, 1, 2])
  })

  test('starts over where it died before it was on record, whatever was written since', async () => {
    await createOldTables(db)
    await insertOldRows(db, [permit(1), permit(2)], [counter(1, 1, 5)])
    await migrate(db, { appId: 'wxA' })
    await db('knex_migrations').where('name', 'like', '%adopt%').delete()
    await db('wx_save_form_id').insert({ open_id: 'o', user_id: 1, form_id: ' form-1', expire: DAY1 })
    await migrate(db, { appId: 'wxA' })
    expect((await readPermits(db)).map(({ form_id, use_no, status }) => [form_id, use_no, status])).toEqual([
      ['form-1', 1, 0],
      ['form-2', 1, 0],
      ['form-1', 2, 2],
    ])
    expect(await wrongCounters(db)).toEqual([])
  })

  const NASTY: [OldPermit[], OldCounter[]] = [rows, NASTY_COUNTERS]
  const TWINS: [OldPermit[], OldCounter[]] = [
    [4, 1, 6, 2, 5, 3].map((day, id) => permit(id, { form_id: 'twin', expire: DAY1 + day })),
    [],
  ]

  // Few rows a statement, so that there are places to die in between.
  test.each([
    ['anywhere', NASTY, 9, /^/],
    ['between the rows of one form_id', TWINS, 1, /SET p\.use_no/],
  ])('ends in the same place when the process dies %s', async (_, [permits, counters], chunkRows, deadly) => {
    const start = async () => {
      await createOldTables(db, { uniqueUser: false })
      await insertOldRows(db, permits, counters)
    }
    const adoptWith = (connection: Knex) =>
      connection.migrate.to({
        ...migrationsFor(connection, { onMessage: () => {}, appId: 'wxA', chunkRows }),
        name: LAST_OF_ADOPTION,
      })

    await start()
    const whole = openDyingDatabase(database.url, Number.POSITIVE_INFINITY)
    await adoptWith(whole.db)
    await whole.db.destroy()
    const expected = await state()
    const lives = [...whole.writes.keys()].filter((life) => life > 0 && deadly.test(whole.writes[life] ?? ''))
    expect(lives.length).toBeGreaterThan(4)

    for (const life of lives) {
      await dropAllTables(db)
      await start()
      const dying = openDyingDatabase(database.url, life)
      await expect(adoptWith(dying.db), `died after ${life} writes`).rejects.toThrow()
      await dying.db.destroy()
      // Knex's lock stands, as a killed process leaves it.
      await withMigrationLock(db, () => {}, adoptWith)
      const after = await state()
      expect(after.permits, `died after ${life} writes`).toEqual(expected.permits)
      // A counter that was created anew may have another id.
      expect(after.counters.map((c) => ({ ...c, id: 0 }))).toEqual(
        expected.counters.map((c) => ({ ...c, id: 0 })),
      )
    }
  })
})

/** A pool whose process "dies" after so many writes: nothing reaches the server any more, not even a ROLLBACK. */
function openDyingDatabase(url: string, life: number): { db: Knex; writes: string[] } {
  interface Connection {
    query(sql: { sql: string } | string, ...rest: unknown[]): unknown
  }
  const writes: string[] = []
  const config = knexConfig(url)
  const afterCreate = config.pool?.afterCreate
  const db = knex({
    ...config,
    // Its dying words are expected.
    log: { warn: () => {}, error: () => {} },
    pool: {
      ...config.pool,
      afterCreate: (connection: Connection, done: (error: unknown, connection: unknown) => void) => {
        afterCreate?.(connection, (error: unknown) => {
          const query = connection.query.bind(connection)
          connection.query = (sql, ...rest) => {
            const text = typeof sql === 'string' ? sql : sql.sql
            const isRead = /^\s*(select|show|set|begin|commit)/i.test(text)
            if (writes.length >= life) {
              const callback = rest.at(-1)
              if (typeof callback === 'function') callback(new Error('The process is dead'))
              return undefined
            }
            if (!isRead) writes.push(text)
            return query(sql, ...rest)
          }
          done(error, connection)
        })
      },
    },
  })
  return { db, writes }
}
