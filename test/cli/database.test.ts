import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { selectRows } from '../../src/db/sql.js'
import { type Ended, runByNpm, runCommand } from '../helpers/command-line.js'
import { APP_ID } from '../helpers/constants.js'
import { createEmptyDatabase, createTestDatabase, dialects } from '../helpers/database.js'
import { refusedUrl } from '../helpers/wechat.js'

// @module-tag programs

const ENV = {
  WX_APP_ID: APP_ID,
  WX_APP_SECRET: 'the-secret-of-the-app',
  REMINDER_TEMPLATE_ID: 'template-1',
  REMINDER_DATA: '{"keyword1":"{date}"}',
}
const ON_DATA = ['audit', 'plan', 'remind', 'expire', 'recover', 'doctor']

let folder: string
let wechatUrl: string

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reminder-cli-'))
  wechatUrl = await refusedUrl()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const run = (command: string, databaseUrl: string): Promise<Ended> =>
  runCommand([command, '--json'], { ...ENV, WX_API_BASE_URL: wechatUrl, DATABASE_URL: databaseUrl })

test.each(ON_DATA)(
  '%s refuses a file that is not there, and creates not even its folder',
  async (command) => {
    const file = join(folder, 'mistyped', 'reminder.db')
    const ended = await run(command, `sqlite:${file}`)
    expect(ended.code).toBe(1)
    expect(JSON.parse(ended.stdout)).toMatchObject({
      error: { code: 'not_ready', message: expect.stringContaining(`There is no database at ${file}`) },
    })
    expect(existsSync(join(folder, 'mistyped'))).toBe(false)
  },
)

test('an empty file is refused too, and stays empty', async () => {
  const file = join(folder, 'empty.db')
  writeFileSync(file, '')
  expect(await run('expire', `sqlite:${file}`)).toMatchObject({ code: 1 })
  expect(readFileSync(file)).toHaveLength(0)
})

test.each(dialects)('a %s without our tables is refused and left alone', async (dialect) => {
  const database = await createEmptyDatabase(dialect)
  onTestFinished(() => database.close())
  await database.db.schema.createTable('of_somebody_else', (table) => void table.integer('id'))
  for (const command of ['audit', 'expire', 'doctor']) {
    const ended = await run(command, database.url)
    expect(ended.code, command).toBe(command === 'doctor' ? 3 : 1)
    if (command !== 'doctor') expect(ended.stdout).toContain('This database has none of our tables')
  }
  const tables = await selectRows<{ name: string }>(
    database.db,
    dialect === 'sqlite'
      ? `SELECT name FROM sqlite_master WHERE type = 'table'`
      : 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
  )
  expect(tables.map(({ name }) => name)).toEqual(['of_somebody_else'])
})

test('an embedded database of an older release: audit and plan leave it, expire brings it up to date', async () => {
  const { db, url, close } = await createTestDatabase('sqlite')
  onTestFinished(close)
  const newest = await db('knex_migrations').orderBy('id', 'desc').first()
  await db('knex_migrations').where({ id: newest.id }).delete()
  for (const command of ['audit', 'plan']) {
    const ended = await run(command, url)
    expect(ended.code).toBe(1)
    expect(ended.stdout).toMatch(/1 migrations are pending.*npm run migrate/)
  }
  expect(await db('knex_migrations').where({ name: newest.name })).toEqual([])
  expect(await run('expire', url)).toMatchObject({ code: 0 })
  expect(await db('knex_migrations').where({ name: newest.name })).toHaveLength(1)
})

test('each command names its database on stderr, without a password wherever it stands', async () => {
  const { db, url, close } = await createTestDatabase('mysql')
  onTestFinished(close)
  await db.raw('SELECT 1')
  const { host, pathname, username } = new URL(url)
  const name = `Database: mysql://${username ? `${username}@` : ''}${host}${pathname}\n`
  const ends = await Promise.all(
    ['audit', 'plan', 'doctor'].map((command) => run(command, `${url}?x=pass-word`)),
  )
  for (const ended of ends) {
    expect(ended.stderr).toContain(name)
    expect(ended.stdout).toMatch(/^\{.*\}\n$/)
    expect(ended.stderr + ended.stdout).not.toContain('pass-word')
  }
})

test('migrate creates an embedded database and names it, also by npm', async () => {
  const file = join(folder, 'new', 'reminder.db')
  const migrated = await runByNpm(['migrate'], { ...ENV, DATABASE_URL: `sqlite:${file}` })
  expect(migrated).toMatchObject({ code: 0, stderr: expect.stringContaining(`Database: sqlite:${file}\n`) })
  expect(await run('audit', `sqlite:${file}`)).toMatchObject({ code: 0 })
})
