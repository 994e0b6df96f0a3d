import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { migrations } from '../../migrations/index.js'
import { createEmptyDatabase, createTestDatabase, dialects, type TestDatabase } from '../helpers/database.js'
import { createOldTables, insertOldRows } from './old-tables.js'

// @module-tag programs

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const KNEX = join(ROOT, 'node_modules/knex/bin/cli.js')
const LOADER = ['--import', '@oxc-node/core/register']
const NAMES = Object.keys(migrations)

describe.each(dialects)('the Knex command line on %s', (dialect) => {
  const environment = (url: string) => ({ ...process.env, DATABASE_URL: url, WX_APP_ID: 'wxA' })
  const npmRun = ({ url }: TestDatabase, ...words: string[]) =>
    run('npm', ['run', '-s', ...words], { cwd: ROOT, env: environment(url) })
  const knex = ({ url }: TestDatabase, ...words: string[]) =>
    run(process.execPath, [...LOADER, KNEX, ...words], { cwd: ROOT, env: environment(url) })

  const use = async (created: Promise<TestDatabase>) => {
    const database = await created
    onTestFinished(() => database.close())
    return database
  }
  const empty = () => use(createEmptyDatabase(dialect))
  /** As these commands leave it: the tests above them hold that. */
  const migrated = () => use(createTestDatabase(dialect))

  test('adopts, says what it did, and has nothing pending after that', async () => {
    const database = await empty()
    await createOldTables(database.db)
    await insertOldRows(
      database.db,
      [{ id: 1, open_id: 'o', user_id: 1, form_id: 'F', expire: 1_560_000_000_000, status: 0 }],
      [],
    )
    const { stdout, stderr } = await npmRun(database, 'migrate')
    expect(stdout).toContain(`Batch 1 run: ${NAMES.length} migrations`)
    expect(stderr).toContain('wx_save_form_id: 1 row without an account: assigned to wxA\n')
    expect(stderr).toContain(
      'wx_message_push_status: 1 row created for users who had permits and no counter\n',
    )
    expect((await knex(database, 'migrate:list')).stdout).toContain('No Pending Migration files Found')
  })

  test('migrates once when it is started several times at the same moment', async () => {
    const database = await empty()
    await Promise.all([1, 2, 3].map(() => knex(database, 'migrate:latest')))
    expect(await database.db('knex_migrations').orderBy('id').pluck('name')).toEqual(NAMES)
  })

  test('seeds a migrated database', async () => {
    const database = await migrated()
    expect((await npmRun(database, 'seed')).stdout).toContain('Ran 1 seed files')
    expect(await database.db('wx_user').distinct('app_id').pluck('app_id')).toEqual(['wxA'])
  })

  test('says of a database with other migrations what to do, and not that ours are corrupt', async () => {
    const database = await migrated()
    await database.db('knex_migrations').orderBy('id').limit(1).update({ name: '20261121000050_forgotten' })
    const failure = await npmRun(database, 'migrate').catch((error) => error)
    expect(failure.stderr).toContain('by a version with other migrations (20261121000050_forgotten)')
    expect(failure.stderr).not.toContain('corrupt')
  })

  test('rolls back', async () => {
    const database = await migrated()
    const { stdout } = await npmRun(database, 'migrate:rollback')
    expect(stdout).toContain(`Batch 1 rolled back: ${NAMES.length} migrations`)
    expect(await database.db.schema.hasTable('wx_save_form_id')).toBe(false)
  })
})

test('an adoption that was interrupted is rolled back in one go, from the command line too', async () => {
  const { db, url, close } = await createEmptyDatabase('mysql')
  try {
    await createOldTables(db)
    await insertOldRows(db, [], [{ id: 1, user_id: 1, count: 0, last_date: 0 }])
    const npmRun = (word: string) =>
      run('npm', ['run', '-s', word], { cwd: ROOT, env: { ...process.env, DATABASE_URL: url } })
    await npmRun('migrate')
    // As Knex records a run that goes on where another one died.
    await db('knex_migrations').where('name', '>', '20261121000300').update({ batch: 2 })
    expect((await npmRun('migrate:rollback')).stdout).toContain(`rolled back: ${NAMES.length} migrations`)
    const twin = db('wx_message_push_status').insert({ user_id: 1, count: 1 })
    await expect(twin).rejects.toThrow(/Duplicate entry/)
  } finally {
    await close()
  }
})

test('the compiled program agrees with the sources on the names', async () => {
  const { db, url, close } = await createEmptyDatabase('sqlite')
  try {
    await run('npm', ['run', '-s', 'build'], { cwd: ROOT })
    const env = { ...process.env, DATABASE_URL: url }
    await run(process.execPath, ['dist/src/main.js', 'migrate'], { cwd: ROOT, env })
    const again = await run(process.execPath, [...LOADER, KNEX, 'migrate:latest'], { cwd: ROOT, env })
    expect(again.stdout).toContain('Already up to date')
    expect(await db('knex_migrations').orderBy('id').pluck('name')).toEqual(NAMES)
  } finally {
    await close()
  }
})
