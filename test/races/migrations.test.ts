import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { migrations } from '../../migrations/index.js'
import { readAccount, readConfig } from '../../src/config/read.js'
import { createIngest } from '../../src/permits/ingest.js'
import { assertMigrated, pendingMigrations } from '../../src/schema.js'
import { type Service, startService } from '../../src/service.js'
import { claimAll, openTodaysRun } from '../helpers/claims.js'
import { createEmptyDatabase, type TestDatabase } from '../helpers/database.js'
import { recordErrors } from '../helpers/rows.js'
import { API_KEY, SERVICE_ENV } from '../helpers/service.js'
import { openSteppingPool } from '../helpers/stepping-pool.js'
import { openIdOf, users } from '../helpers/users.js'
import { createWorld } from '../helpers/world.js'

// @module-tag mysql

/**
 * A migration beside instances that run. What each test was seen to catch:
 *
 * | taken out of the code | fails |
 * |---|---|
 * | the passing over of unknown migrations in pendingMigrations | the older instances that run on or start |
 * | the look at what is pending in migrateLatest | the older instance that starts with --migrate |
 * | withMigrationLock | the instances that start together |
 *
 * Killed and waiting migrations: test/migrations/lock.test.ts.
 */

/** What the next release may bring. */
const NEXT = '29991231000100_add_a_column'
const addColumn = {
  up: (db: Knex) => db.raw('ALTER TABLE wx_push_message ADD COLUMN of_the_next_release INT NULL'),
  down: (db: Knex) => db.raw('ALTER TABLE wx_push_message DROP COLUMN of_the_next_release'),
}

/** Migrates as the next release would, which has one migration more. */
function migrateToNext(db: Knex): Promise<unknown> {
  return db.migrate.latest({
    migrationSource: {
      getMigrations: async () => [...Object.keys(migrations), NEXT],
      getMigrationName: (name: string) => name,
      getMigration: async () => ({ ...addColumn, config: { transaction: false } }),
    },
  })
}

test('a migration waits for a claim under way; what comes meanwhile waits for it, and none fails', async () => {
  const world = await createWorld('mysql')
  const [claimer, migrator] = [openSteppingPool(world.database), openSteppingPool(world.database)]
  try {
    await world.has(users(1, 20).permits(2))
    const errors = [recordErrors(claimer.db), recordErrors(world.db)]
    await openTodaysRun(world)
    const stop = claimer.stop('before', /^COMMIT/)
    const claiming = claimAll({ ...world, db: claimer.db })
    await stop.reached
    const altering = migrator.stop('before', /ALTER TABLE wx_push_message/)
    const migrating = migrateToNext(migrator.db)
    await altering.reached
    altering.goOn()
    await expect
      .poll(async () => {
        const [rows] = await world.db.raw('SHOW FULL PROCESSLIST')
        return rows.some(({ State }: { State: string | null }) => /metadata lock/.test(State ?? ''))
      })
      .toBe(true)
    const reading = world.messages()
    const uploading = createIngest(world.db).upload(
      [
        {
          appId: world.account.appId,
          openId: openIdOf(1),
          userId: 1,
          source: 'form',
          formId: 'F1',
          page: undefined,
          submittedAt: undefined,
        },
      ],
      world.clock.now(),
    )
    stop.goOn()
    expect(await claiming).toHaveLength(20)
    expect(await uploading).toEqual([{ outcome: 'accepted' }])
    await migrating
    // It came after the commit that it waited for, and not before the claims that follow.
    expect((await reading).length).toBeGreaterThan(0)
    // Code that does not know the column goes on beside it.
    await world.lapseLeases()
    expect(await world.startProcess().recover()).toMatchObject({ delivered: 20 })
    expect(errors.flat()).toEqual([])
    await world.expectSound()
  } finally {
    await Promise.all([claimer.close(), migrator.close()])
    await world.close()
  }
})

describe('instances', () => {
  let database: TestDatabase
  const started: Service[] = []

  beforeEach(async () => {
    database = await createEmptyDatabase('mysql')
  })
  afterEach(async () => {
    await Promise.all(started.splice(0).map((service) => service.stop()))
    await database.close()
  })

  async function boot(migrate: boolean): Promise<Service> {
    const env = { ...SERVICE_ENV, DATABASE_URL: database.url }
    const service = await startService(readConfig(env), { accounts: [readAccount(env)] }, { migrate })
    started.push(service)
    return service
  }

  const upload = (service: Service, formId: string) =>
    fetch(`${service.url}/v1/form-ids`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${API_KEY}` },
      body: JSON.stringify({ open_id: 'o1', user_id: 1, form_id: formId }),
    }).then((answer) => answer.status)
  const ready = (service: Service) => fetch(`${service.url}/readyz`).then((answer) => answer.status)

  test('of one release go on, and start, after one of the next release has migrated', async () => {
    const old = await boot(true)
    await migrateToNext(database.db)
    expect([await ready(old), await upload(old, 'F1')]).toEqual([200, 201])
    expect(await pendingMigrations(database.db)).toEqual([])
    await assertMigrated(database.db)
    const another = await boot(false)
    expect([await ready(another), await upload(another, 'F2')]).toEqual([200, 201])
    const migrating = await boot(true)
    expect([await ready(migrating), await upload(migrating, 'F3')]).toEqual([200, 201])
  })

  test('that start together on an empty database all serve, and it is migrated once', async () => {
    const services = await Promise.all([boot(true), boot(true), boot(true)])
    expect(await Promise.all(services.map((service, i) => upload(service, `F${i}`)))).toEqual([201, 201, 201])
    expect(await database.db('knex_migrations').orderBy('id').pluck('name')).toEqual(Object.keys(migrations))
    expect(await database.db('wx_message_push_status').select('count')).toEqual([{ count: 3 }])
  })
})
