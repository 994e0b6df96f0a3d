import type { Knex } from 'knex'
import { ServiceError } from '../errors.js'
import { withMigrationLock } from './migration-lock.js'
import { execute, isSqlite, selectRows } from './sql.js'

/** What a migration is told besides its database. */
export interface MigrationParams {
  /** Gets one line for each thing an operator should know, such as existing rows that are changed. */
  onMessage: (message: string) => void
  /** The account that rows without one belong to, or '' if it is not known. */
  appId: string
  /** Rows that one statement changes, and so one transaction on MySQL. */
  chunkRows?: number
}

export interface Migration {
  /** Part of adopting existing tables: one rollback undoes all of it. */
  adopts?: boolean
  up(db: Knex, params: MigrationParams): PromiseLike<void>
  down(db: Knex, params: MigrationParams): PromiseLike<void>
}

/** By name, in order. */
export type Migrations = Record<string, Migration>

/** Whether a migration was ever begun here. */
export function hasTables(db: Knex): Promise<boolean> {
  return db.schema.hasTable('knex_migrations')
}

/** What brings a database to these migrations, and tells whether it is there. */
export interface Migrator {
  /** Brings the schema up to date. Safe in several processes at once: one migrates, the others wait and find it done. */
  migrateLatest(db: Knex, params: MigrationParams): Promise<void>
  /**
   * The names of the migrations that this database still lacks. Migrations that a newer release has run are
   * ignored: its instances come up one by one, and the older ones work on meanwhile. Changes nothing: Knex,
   * if asked for its list, first creates tables of its own in whatever database DATABASE_URL names. Throws
   * `not_ready` if other migrations have run and some of ours have not.
   */
  pendingMigrations(db: Knex): Promise<string[]>
  /** Like pendingMigrations, but creates Knex's own tables if they are missing. */
  listPending(db: Knex): Promise<string[]>
  /**
   * Counts the work of an interrupted adoption as part of the batch that completed it: one rollback then
   * undoes the whole adoption and leaves the old tables with the keys that their program relies on.
   */
  joinInterrupted(db: Knex): Promise<void>
  /** Throws `not_ready`, with what to do, if the database lacks migrations. */
  assertMigrated(db: Knex): Promise<void>
  /** Knex's settings for these migrations. */
  migrationsFor(db: Knex, params: MigrationParams): Knex.MigratorConfig
}

export function createMigrator(migrations: Migrations): Migrator {
  const names = Object.keys(migrations)

  async function migrateLatest(db: Knex, params: MigrationParams): Promise<void> {
    await withMigrationLock(db, params.onMessage, async (locked) => {
      if ((await listPending(locked)).length > 0) await locked.migrate.latest(migrationsFor(db, params))
      await joinInterrupted(locked)
    })
  }

  async function joinInterrupted(db: Knex): Promise<void> {
    const last = names.findLast((name) => migrations[name]?.adopts)
    if (last === undefined) return
    const [end] = await selectRows<{ batch: number }>(
      db,
      'SELECT batch FROM knex_migrations WHERE name = ?',
      [last],
    )
    if (end) await execute(db, 'UPDATE knex_migrations SET batch = ? WHERE batch < ?', [end.batch, end.batch])
  }

  async function pendingMigrations(db: Knex): Promise<string[]> {
    return (await hasTables(db)) ? listPending(db) : names
  }

  async function listPending(db: Knex): Promise<string[]> {
    const [done, pending]: [{ name: string }[], string[]] = await db.migrate.list({
      ...migrationsFor(db, { onMessage: () => {}, appId: '' }),
      disableMigrationsListValidation: true,
    })
    const unknown = done.find(({ name }) => !Object.hasOwn(migrations, name))
    if (unknown && pending.length > 0) throw otherHistory(unknown.name)
    return pending
  }

  async function assertMigrated(db: Knex): Promise<void> {
    const pending = await pendingMigrations(db)
    if (pending.length === 0) return
    const none = pending.length === names.length ? 'This database has none of our tables: ' : ''
    throw new ServiceError(
      'not_ready',
      `${none}${pending.length} migrations are pending. Run: npm run migrate (or serve --migrate)`,
    )
  }

  /**
   * On SQLite all pending migrations run in one transaction. On MySQL they run in none, because DDL commits
   * it half-way and Knex's savepoints fail after that; there each migration can be run again.
   */
  function migrationsFor(db: Knex, params: MigrationParams): Knex.MigratorConfig {
    const config = { transaction: isSqlite(db) }
    return {
      migrationSource: {
        getMigrations: async () => names,
        getMigrationName: (name: string) => name,
        getMigration: async (name: string) => {
          const migration = migrations[name]
          if (!migration) throw new Error(`Migration ${name} is not in the list of migrations`)
          return {
            up: (trx: Knex) => migration.up(trx, params),
            down: (trx: Knex) => migration.down(trx, params),
            config,
          }
        },
      },
    }
  }

  return {
    migrateLatest,
    pendingMigrations,
    listPending,
    joinInterrupted,
    assertMigrated,
    migrationsFor,
  }
}

/**
 * A newer release would have run our migrations before its own, so this is a different history: Knex would
 * call the folder of migrations corrupt and say nothing of the database.
 */
function otherHistory(unknown: string): ServiceError {
  return new ServiceError(
    'not_ready',
    `This database was migrated by a version with other migrations (${unknown}), and cannot be brought up to date. If it is for development, delete it (sqlite: its file) or name a new one in DATABASE_URL. To keep permits and counters, roll back with that version first: npm run migrate:rollback -- --all`,
  )
}
