import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { migrations } from '../../migrations/index.js'
import { openDatabase } from '../../src/db/connect.js'
import { LOCK_NAME, takeMigrationLock } from '../../src/db/migration-lock.js'
import { listPending, pendingMigrations } from '../../src/schema.js'
import { createEmptyDatabase, migrate, type TestDatabase } from '../helpers/database.js'

// @module-tag mysql

describe('the migration lock on MySQL', () => {
  let database: TestDatabase

  beforeEach(async () => {
    database = await createEmptyDatabase('mysql')
  })
  afterEach(() => database.close())

  test('lets one of several processes migrate, and the others find it done', async () => {
    const pools = [1, 2, 3].map(() => openDatabase(database.url))
    try {
      await Promise.all(pools.map((pool) => migrate(pool)))
      const names = await database.db('knex_migrations').orderBy('id').pluck('name')
      expect(names).toEqual(Object.keys(migrations))
    } finally {
      await Promise.all(pools.map((pool) => pool.destroy()))
    }
  })

  test('is freed when a killed process left it', async () => {
    const { db } = database
    await listPending(db)
    await db('knex_migrations_lock').update({ is_locked: 1 })
    const messages: string[] = []
    await migrate(db, { onMessage: (message) => messages.push(message) })
    expect(messages).toEqual([
      'A migration was interrupted here. Its lock is released, and it resumes where it stopped',
    ])
    expect(await pendingMigrations(db)).toEqual([])
    expect(await db('knex_migrations_lock').pluck('is_locked')).toEqual([0])
  })

  test('is waited for while another session migrates, and the wait is announced', async () => {
    const { db } = database
    const release = await takeMigrationLock(db.client.config, () => {})
    let migrated: Promise<void> | undefined
    const announced = await new Promise<string>((resolve) => {
      migrated = migrate(db, { onMessage: resolve })
    })
    expect(announced).toMatch(/^Another process is migrating this database: connection \d+ /)
    expect(await pendingMigrations(db)).toEqual(Object.keys(migrations))
    await release()
    await migrated
    expect(await pendingMigrations(db)).toEqual([])
  })

  test('goes with the session of a process that dies', async () => {
    const { db } = database
    const messages: string[] = []
    const release = await takeMigrationLock(db.client.config, () => {})
    const [[{ id }]] = await db.raw(`SELECT IS_USED_LOCK(${LOCK_NAME}) AS id`)
    await db.raw(`KILL ${id}`)
    await migrate(db, { onMessage: (message) => messages.push(message) })
    expect(await pendingMigrations(db)).toEqual([])
    await release()
  })

  test('of one database does not hold up another one', async () => {
    const other = await createEmptyDatabase('mysql')
    const release = await takeMigrationLock(database.db.client.config, () => {})
    try {
      await migrate(other.db)
    } finally {
      await release()
      await other.close()
    }
  })
})
