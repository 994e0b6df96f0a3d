import { existsSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { migrations } from '../../migrations/index.js'
import { isSqlite, selectRows } from '../../src/db/sql.js'
import { type MigrationPreview, previewMigrations } from '../../src/schema.js'
import { runCommand } from '../helpers/command-line.js'
import { createEmptyDatabase, dialects, migrate, type TestDatabase } from '../helpers/database.js'
import { createOldTables, insertOldRows, type OldPermit } from './old-tables.js'

// @module-tag programs

const PAST = 1_560_000_000_000
const FUTURE = 4_102_444_800_000
const permit = (id: number, values: Partial<OldPermit> = {}): OldPermit => ({
  id,
  open_id: 'oOpen',
  user_id: 1,
  form_id: `form-${id}`,
  expire: FUTURE,
  status: 0,
  ...values,
})
const counter = (id: number, user_id: number | null, values: object = {}) => ({
  id,
  user_id,
  count: 1,
  last_date: 20191120,
  ...values,
})

const PERMITS = [
  permit(1),
  permit(2, { expire: PAST }),
  permit(3, { expire: PAST / 1000, status: 1 }),
  permit(4, { status: 7 }),
  permit(5, { user_id: 0 }),
  permit(6, { user_id: -3, status: 1 }),
  permit(7, { form_id: 'the formId is a mock one' }),
  permit(8, { form_id: 'the formId is a mock one' }),
  permit(9, { form_id: null }),
  // WeChat's ids differ by case, and not by blanks.
  permit(10, { form_id: 'twin' }),
  permit(11, { form_id: ' twin ' }),
  permit(12, { form_id: 'TWIN' }),
  permit(13, { form_id: 'spent' }),
  permit(14, { form_id: 'spent', status: 1 }),
  permit(15, { form_id: 'spent' }),
]
const COUNTERS = [
  counter(1, 1),
  counter(2, 1),
  counter(3, 1),
  counter(4, 2, { last_date: 20991231 }),
  counter(5, 3, { last_date: PAST }),
  counter(6, 4, { last_date: FUTURE }),
  counter(7, 0, { count: -1 }),
]

describe.each(dialects)('a dry run of migrations on %s', (dialect) => {
  let database: TestDatabase
  beforeEach(async () => {
    database = await createEmptyDatabase(dialect)
  })
  afterEach(() => database.close())

  const everything = async () => {
    const { db } = database
    const tables = await selectRows<{ name: string }>(
      db,
      isSqlite(db)
        ? 'SELECT name, sql FROM sqlite_master ORDER BY name'
        : `SELECT table_name AS name, column_name, column_type, column_key FROM information_schema.columns
           WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position`,
    )
    return {
      tables,
      permits: await db('wx_save_form_id').orderBy('id'),
      counters: await db('wx_message_push_status').orderBy('id'),
    }
  }
  const dryRun = async (...words: string[]) => {
    const { code, stdout, stderr } = await runCommand(['migrate', '--dry-run', ...words], {
      DATABASE_URL: database.url,
    })
    expect(code, stderr).toBe(0)
    return stdout
  }

  test('says what an adoption would change and for how long, and changes nothing', async () => {
    const { db } = database
    await createOldTables(db, { uniqueUser: false })
    await insertOldRows(db, PERMITS, COUNTERS)
    const before = await everything()

    const report = JSON.parse(await dryRun('--json')) as MigrationPreview
    expect(report).toMatchObject({ pending: Object.keys(migrations), seconds: 1 })
    expect(report.tables).toMatchObject([
      {
        table: 'wx_save_form_id',
        rows: 15,
        add_columns: expect.arrayContaining(['app_id', 'use_no', 'message_id']),
        add_keys: expect.arrayContaining(['wx_save_form_id_permit_uq', 'wx_save_form_id_oldest_idx']),
        changes: {
          strange_status: 1,
          user_id_not_positive: 2,
          unspent_unusable: 2,
          unspent_mock_text: 2,
          expire_in_seconds: 1,
          unspent_but_past: 1,
          duplicate_form_id: 4,
          unspent_duplicate: 3,
        },
      },
      {
        table: 'wx_message_push_status',
        rows: 7,
        add_columns: ['app_id', 'created_at', 'updated_at'],
        add_keys: isSqlite(db)
          ? ['wx_message_push_status_user_uq']
          : ['PRIMARY KEY (app_id, user_id)', 'wx_message_push_status_id_uq'],
        changes: {
          null_or_negative: 1,
          user_id_not_positive: 1,
          last_date_is_time: 2,
          last_date_in_future: 2,
          merged: 2,
        },
      },
    ])
    const text = await dryRun()
    expect(text).toContain('20261121000300_adopt_wx_save_form_id')
    expect(text).toContain('  3 unspent duplicate\n')
    expect(text).toMatch(/It may take 1 s, .*Nothing was changed\.\n$/)
    expect(await everything()).toEqual(before)

    // What it said is what the migration then says.
    const said: string[] = []
    await migrate(db, { onMessage: (line) => said.push(line), appId: 'wxA' })
    for (const line of [
      'wx_save_form_id: 1 row with a status other than 0, 1, 2',
      'wx_save_form_id: 2 rows unspent, without a usable',
      'wx_save_form_id: 2 rows unspent, with a text',
      'wx_save_form_id: 1 row with expire in seconds',
      'wx_save_form_id: 4 rows with the form_id of another row',
      'wx_save_form_id: 3 rows of these were unspent',
      'wx_message_push_status: 1 row with a NULL or a negative count',
      'wx_message_push_status: 2 rows with a time in last_date',
      'wx_message_push_status: 2 rows with a future day in last_date',
      'wx_message_push_status: 2 rows merged',
    ])
      expect(
        said.some((each) => each.startsWith(line)),
        line,
      ).toBe(true)
    expect(await previewMigrations(db, FUTURE)).toEqual({ pending: [], tables: [], seconds: 0 })
  })
})

test('a dry run creates no database', async () => {
  const file = '/tmp/reminder-no-such-folder/reminder.db'
  const { code, stdout } = await runCommand(['migrate', '--dry-run', '--json'], {
    DATABASE_URL: `sqlite:${file}`,
  })
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'not_ready' } })
  expect(existsSync(file)).toBe(false)
})
