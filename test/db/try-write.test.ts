import fastify from 'fastify'
import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { whyUnavailable } from '../../src/db/errors.js'
import { selectRows } from '../../src/db/sql.js'
import { tryWrite } from '../../src/db/try-write.js'
import { handleErrors } from '../../src/http/errors.js'
import { examine } from '../../src/operations/doctor.js'
import { healthRoutes } from '../../src/operations/health-routes.js'
import { assertMigrated, pendingMigrations } from '../../src/schema.js'
import { muteAuxiliary } from '../helpers/auxiliary.js'
import { createTestDatabase, dialects, type TestDatabase } from '../helpers/database.js'
import { openPool, refuseRows, silentLog } from '../helpers/rows.js'

const account = readAccount({ WX_APP_ID: 'wx1', WX_APP_SECRET: 'secret' })

async function askReady(db: Knex): Promise<{ status: number; body: unknown }> {
  const app = fastify()
  handleErrors(app, silentLog)
  await app.register(healthRoutes({ db, assertMigrated }))
  const answer = await app.inject({ method: 'GET', url: '/readyz' })
  await app.close()
  return { status: answer.statusCode, body: answer.json() }
}

async function askDoctor(db: Knex): Promise<object | undefined> {
  const findings = await examine({
    db,
    pendingMigrations,
    account,
    systemNow: Date.now,
    getToken: async () => 'token',
    auxiliary: muteAuxiliary,
  })
  return findings.find(({ name }) => name === 'writes')
}

const REFUSED = {
  status: 503,
  body: { error: { code: 'not_ready', message: 'The database accepts no writes' } },
}

describe.each(dialects)('a write that is tried on %s', (dialect) => {
  let database: TestDatabase

  beforeEach(async () => {
    database = await createTestDatabase(dialect)
  })
  afterEach(() => database.close())

  test('leaves nothing behind, and the connection as it was', async () => {
    const { db } = database
    await tryWrite(db)
    expect(await selectRows(db, 'SELECT * FROM wx_user_number')).toEqual([])
    if (dialect === 'sqlite')
      expect(await selectRows(db, 'PRAGMA busy_timeout')).toMatchObject([{ timeout: 10_000 }])
    expect(await askReady(db)).toMatchObject({ status: 200 })
    expect(await askDoctor(db)).toMatchObject({ status: 'ok' })
  })

  test('tells of a database that reads and refuses rows', async () => {
    const { db } = database
    const { allow } = await refuseRows(db, 'wx_user_number', 'INSERT', '1 = 1')
    expect(await askReady(db)).toEqual(REFUSED)
    expect(await askDoctor(db)).toMatchObject({
      status: 'fail',
      reason: expect.stringMatching(/^refused: \w+/),
    })
    await allow()
    expect(await askReady(db)).toMatchObject({ status: 200 })
  })
})

describe('a write that is tried on sqlite', () => {
  let database: TestDatabase

  beforeEach(async () => {
    database = await createTestDatabase('sqlite')
  })
  afterEach(() => database.close())

  test('tells of a file that cannot be written', async () => {
    const { db } = database
    await db.raw('PRAGMA query_only = ON')
    const error: unknown = await tryWrite(db).catch((refused: unknown) => refused)
    expect(whyUnavailable(error)).toBe('accepts no writes')
    expect(await askReady(db)).toEqual(REFUSED)
    await db.raw('PRAGMA query_only = OFF')
    expect(await askReady(db)).toMatchObject({ status: 200 })
  })

  test('a disk that is full accepts no writes', async () => {
    const { db } = database
    const [pages] = await selectRows<{ page_count: number }>(db, 'PRAGMA page_count')
    await db.raw(`PRAGMA max_page_count = ${pages?.page_count}`)
    const error: unknown = await db
      .raw('INSERT INTO wx_user_number (app_id, last_user_id, updated_at) VALUES (?, 0, 0)', [
        'x'.repeat(9_000),
      ])
      .catch((refused: unknown) => refused)
    expect(whyUnavailable(error)).toBe('accepts no writes')
  })

  test('a write that is tried on sqlite does not wait for whoever is writing: that one writes', async () => {
    const { db } = database
    const other = openPool(database)
    const writing = await other.transaction()
    await tryWrite(db)
    expect(await askReady(db)).toMatchObject({ status: 200 })
    await writing.rollback()
    await other.destroy()
    await db.transaction((trx) =>
      trx('wx_user_number').insert({ app_id: 'a', last_user_id: 1, updated_at: 1 }),
    )
    expect(await selectRows(db, 'PRAGMA busy_timeout')).toMatchObject([{ timeout: 10_000 }])
  })
})
