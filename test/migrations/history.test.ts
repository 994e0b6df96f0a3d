import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readAccount } from '../../src/config/read.js'
import { examine } from '../../src/operations/doctor.js'
import { assertMigrated, migrationsFor, pendingMigrations } from '../../src/schema.js'
import { muteAuxiliary } from '../helpers/auxiliary.js'
import { createTestDatabase, dialects, migrate, type TestDatabase } from '../helpers/database.js'

/** As in a database of a checkout whose migrations have been written anew since. */
const FORGOTTEN = '20261121000050_create_everything'

describe.each(dialects)('a database on %s that was migrated by other migrations', (dialect) => {
  let database: TestDatabase
  beforeEach(async () => {
    database = await createTestDatabase(dialect)
    await database.db('knex_migrations').orderBy('id').limit(1).update({ name: FORGOTTEN })
  })
  afterEach(() => database.close())

  const words = expect.stringMatching(
    /by a version with other migrations \(20261121000050_create_everything\).* DATABASE_URL.* migrate:rollback/,
  )
  const refusal = expect.objectContaining({ code: 'not_ready', message: words })

  test('is refused, with what to do, and left as it is', async () => {
    const { db } = database
    const before = await db('knex_migrations').orderBy('id')
    await expect(migrate(db)).rejects.toEqual(refusal)
    await expect(assertMigrated(db)).rejects.toEqual(refusal)
    expect(await db('knex_migrations').orderBy('id')).toEqual(before)
    // What the refusal is in place of.
    const latest = db.migrate.latest(migrationsFor(db, { onMessage: () => {}, appId: '' }))
    await expect(latest).rejects.toThrow(/directory is corrupt/)
  })

  test('is a finding of the doctor, who looks at the rest too', async () => {
    const findings = await examine({
      db: database.db,
      pendingMigrations,
      account: readAccount({ WX_APP_ID: 'wx1' }),
      systemNow: Date.now,
      getToken: async () => 'token',
      auxiliary: muteAuxiliary,
    })
    expect(findings).toContainEqual({
      name: 'migrations',
      status: 'fail',
      reason: words,
      reason_zh: words,
    })
    expect(findings.map(({ name }) => name)).toContain('clock')
  })
})
