import { readdirSync } from 'node:fs'
import type { Knex } from 'knex'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { migrations } from '../../migrations/index.js'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { migrationsFor, pendingMigrations } from '../../src/schema.js'
import {
  createEmptyDatabase,
  createTestDatabase,
  dialects,
  emptyTables,
  migrate,
  type TestDatabase,
} from '../helpers/database.js'

const PARAMS = { onMessage: () => {}, appId: '' }
const TABLES = [
  'wx_access_token',
  'wx_callback_event',
  'wx_callback_nonce',
  'wx_card',
  'wx_claim',
  'wx_day_summary',
  'wx_forecast_day',
  'wx_instance',
  'wx_job_cursor',
  'wx_job_run',
  'wx_message_attempt',
  'wx_message_push_status',
  'wx_message_retry',
  'wx_operator_action',
  'wx_permit_stock',
  'wx_platform_answer',
  'wx_push_message',
  'wx_quota_use',
  'wx_run_outcome',
  'wx_save_form_id',
  'wx_sign_in',
  'wx_stop_history',
  'wx_submission',
  'wx_submitted_message',
  'wx_summary_progress',
  'wx_user',
  'wx_user_number',
  'wx_webhook',
  'wx_webhook_delivery',
]

test('every migration file is in the list, under its name and in its order', () => {
  const files = readdirSync(new URL('../../migrations', import.meta.url)).filter((name) => /^\d/.test(name))
  expect(Object.keys(migrations)).toEqual(files.sort().map((name) => name.replace(/\.ts$/, '')))
})

describe.each(dialects)('the schema on %s', (dialect) => {
  let database: TestDatabase
  let db: Knex

  beforeAll(async () => {
    database = await createTestDatabase(dialect)
    db = database.db
  })
  beforeEach(() => emptyTables(db))
  afterAll(() => database.close())

  const permit = (values: object) => ({ open_id: 'o', user_id: 1, form_id: 'F', expire: 1, ...values })
  const message = (values: object) => ({
    app_id: 'wxA',
    user_id: 1,
    business_date: 20240101,
    claim_id: 1,
    card_id: 1,
    state: 'sending',
    created_at: 1,
    updated_at: 1,
    ...values,
  })

  test('has every table, and nothing pending', async () => {
    expect((await tableNames(db)).sort()).toEqual(TABLES)
    expect(await pendingMigrations(db)).toEqual([])
  })

  test('takes an INSERT that a DBA writes by hand', async () => {
    await db.raw(
      "insert into wx_save_form_id (open_id,user_id,form_id,expire) values ('o', 1, 'F', 1700000000000)",
    )
    await db.raw('insert into wx_message_push_status (user_id) values (1)')
    expect(await db('wx_save_form_id').first('app_id', 'use_no', 'source', 'status')).toEqual({
      app_id: '',
      use_no: 1,
      source: 'form',
      status: 0,
    })
    expect(await db('wx_message_push_status').first('app_id', 'count', 'last_date')).toEqual({
      app_id: '',
      count: 1,
      last_date: 0,
    })
  })

  test('gives ids by itself and takes each only once, also where a DBA moves a row to another user', async () => {
    await db.raw(
      "insert into wx_save_form_id (open_id,user_id,form_id,expire) values ('o', 1, 'A', 1), ('o', 1, 'B', 1)",
    )
    await db.raw("update wx_save_form_id set user_id = 0, expire = 7 where form_id = 'B'")
    await db.raw('insert into wx_message_push_status (user_id) values (1), (2)')
    await db.raw('update wx_message_push_status set user_id = 0 where user_id = 2')
    for (const [table, values] of [
      ['wx_save_form_id', permit({ user_id: 9, form_id: 'C' })],
      ['wx_message_push_status', { user_id: 9 }],
    ] as const) {
      const ids = await db(table).orderBy('id').pluck('id')
      expect(ids).toEqual([ids[0], ids[0] + 1])
      expect(await db(table).where({ user_id: 0 }).pluck('id')).toEqual([ids[1]])
      await expect(db(table).insert({ ...values, id: ids[1] })).rejects.toThrow(/duplicate|unique/i)
    }
  })

  test('tells ids apart by case', async () => {
    await db('wx_save_form_id').insert([permit({ form_id: 'Ab' }), permit({ form_id: 'aB' })])
    expect(await db('wx_save_form_id').where({ form_id: 'aB' }).pluck('form_id')).toEqual(['aB'])
  })

  test.each([
    ['the same use of a permit', 'wx_save_form_id', permit({})],
    ['a second counter of a user', 'wx_message_push_status', { user_id: 1 }],
    ['a second reminder on one day', 'wx_push_message', message({})],
  ])('refuses %s', async (_, table, row) => {
    await db(table).insert(row)
    await expect(db(table).insert(row)).rejects.toThrow(/duplicate|unique/i)
  })

  test('lets a cancelled reminder give its day free', async () => {
    await db('wx_push_message').insert(message({ business_date: null, state: 'cancelled' }))
    await db('wx_push_message').insert(message({ business_date: null, state: 'cancelled' }))
    await db('wx_push_message').insert(message({}))
  })

  test.each([
    ['wx_save_form_id', 'status', permit({ status: 3 })],
    ['wx_save_form_id', 'source', permit({ source: 'mail' })],
    ['wx_message_push_status', 'count', { user_id: 1, count: -1 }],
    ['wx_push_message', 'kind', message({ kind: 'x' })],
    [
      'wx_card',
      'channel',
      { app_id: 'wxA', card_key: 'k', channel: 'x', template_id: 't', page: '', data: '{}', created_at: 1 },
    ],
    ['wx_push_message', 'state', message({ state: 'x' })],
    ['wx_job_run', 'triggered_by', run({ triggered_by: 'x' })],
    ['wx_job_run', 'state', run({ state: 'x' })],
  ])('checks %s.%s', async (table, column, row) => {
    await expect(db(table).insert(row)).rejects.toThrow(
      // MySQL names the checks of a copied table itself.
      new RegExp(
        `${table}_(${column}_ck|chk_\\d+)|CHECK constraint failed|Data truncated for column '${column}'`,
      ),
    )
  })

  test('takes the run of a job that no migration has heard of', async () => {
    await db('wx_job_run').insert(run({ job: 'weekly-report-for-operators' }))
    expect(await db('wx_job_run').pluck('job')).toEqual(['weekly-report-for-operators'])
  })

  test('goes down and up again, one migration at a time', async () => {
    const { db: other, close } = await createEmptyDatabase(dialect)
    try {
      await migrate(other)
      const before = await describeSchema(other)
      for (const name of Object.keys(migrations).reverse()) {
        const options = { ...migrationsFor(other, PARAMS), name }
        const there = await describeSchema(other)
        await other.migrate.down(options)
        await other.migrate.up(options)
        expect(await describeSchema(other), name).toEqual(there)
        await other.migrate.down(options)
      }
      expect(await tableNames(other)).toEqual([])
      await migrate(other)
      expect(await describeSchema(other)).toEqual(before)
    } finally {
      await close()
    }
  })

  test('keeps the rows of the public tables through a rollback, and drops our own tables', async () => {
    const { db: other, close } = await createTestDatabase(dialect)
    try {
      await other('wx_save_form_id').insert(permit({}))
      await other('wx_message_push_status').insert({ user_id: 1 })
      await other.migrate.rollback(migrationsFor(other, PARAMS), true)
      expect((await tableNames(other)).sort()).toEqual(['wx_message_push_status', 'wx_save_form_id'])
      expect(await other('wx_save_form_id').pluck('form_id')).toEqual(['F'])
      await migrate(other)
      expect((await tableNames(other)).sort()).toEqual(TABLES)
    } finally {
      await close()
    }
  })
})

test('every table and column has a comment in Chinese and English on MySQL', {
  tags: ['mysql'],
}, async () => {
  const { db, close } = await createTestDatabase('mysql')
  try {
    const comments = await selectRows<{ name: string; comment: string }>(
      db,
      `SELECT CONCAT(table_name, '.', column_name) AS name, column_comment AS comment FROM information_schema.columns
       WHERE table_schema = DATABASE() AND table_name LIKE 'wx%' AND table_name NOT LIKE '%@_detail' ESCAPE '@'
       UNION ALL SELECT table_name, table_comment FROM information_schema.tables
       WHERE table_schema = DATABASE() AND table_name LIKE 'wx%' AND table_type = 'BASE TABLE'`,
    )
    expect(comments.length).toBeGreaterThan(90)
    expect(comments.filter(({ comment }) => !/\p{Script=Han}.* \| [\x20-\x7e]+$/u.test(comment))).toEqual([])
  } finally {
    await close()
  }
})

function run(values: object): object {
  return {
    job: 'remind',
    app_id: 'wxA',
    slot: 20240101,
    triggered_by: 'cron',
    state: 'running',
    started_at: 1,
    updated_at: 1,
    ...values,
  }
}

async function tableNames(db: Knex): Promise<string[]> {
  const rows = await selectRows<{ name: string }>(
    db,
    isSqlite(db)
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'knex%'"
      : "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'knex%'",
  )
  return rows.map(({ name }) => name)
}

/** All that the database says of our tables, without the counters of AUTO_INCREMENT. */
async function describeSchema(db: Knex): Promise<Record<string, string>> {
  const tables = await tableNames(db)
  const texts = await Promise.all(
    tables.map(async (table): Promise<[string, string]> => {
      if (isSqlite(db)) {
        const parts = await selectRows<{ sql: string }>(
          db,
          'SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY name',
          [table],
        )
        return [table, parts.map(({ sql }) => sql).join('\n')]
      }
      const [row] = await selectRows<{ 'Create Table': string }>(db, `SHOW CREATE TABLE ${table}`)
      return [table, row?.['Create Table'].replace(/ AUTO_INCREMENT=\d+/, '') ?? '']
    }),
  )
  return Object.fromEntries(texts)
}
