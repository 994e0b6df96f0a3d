import type { Knex } from 'knex'
import { migrations } from '../../migrations/index.js'
import type { MigrationParams } from '../../migrations/lib/migration.js'
import { ServiceError } from '../errors.js'
import { withMigrationLock } from './migration-lock.js'
import { execute, isSqlite, selectRows } from './sql.js'

/**
 * Brings the schema up to date. `onMessage` gets one line for each thing an operator should know; rows of adopted
 * tables go to the account `appId`. Safe in several processes at once: one migrates, the others wait and find it done.
 */
export async function migrateLatest(
  db: Knex,
  onMessage: (message: string) => void = toStderr,
  appId = process.env.WX_APP_ID ?? '',
): Promise<void> {
  await withMigrationLock(db, onMessage, async (locked) => {
    const [batch] = await locked.migrate.latest(migrationsFor(db, { onMessage, appId }))
    await joinInterrupted(locked, Number(batch))
  })
}

/** The last migration of the first release. */
const END_OF_ADOPTION = '20261121002700_bind_open_ids_of_permits'

/**
 * What an interrupted adoption had done belongs to the batch that ended it: one rollback undoes the whole, and leaves
 * the old tables with the keys that their program counts on.
 */
async function joinInterrupted(db: Knex, batch: number): Promise<void> {
  const [end] = await selectRows(db, 'SELECT 1 FROM knex_migrations WHERE name = ? AND batch = ?', [
    END_OF_ADOPTION,
    batch,
  ])
  if (end) await execute(db, 'UPDATE knex_migrations SET batch = ? WHERE batch < ?', [batch, batch])
}

/**
 * The names of the migrations that this database still lacks. Those that a newer release has run are passed over: its
 * instances come up one by one, and the others work on beside them. Changes nothing: asked for its list, Knex creates
 * the tables of its own first, in whatever database DATABASE_URL names.
 */
export async function pendingMigrations(db: Knex): Promise<string[]> {
  return (await hasTables(db)) ? listPending(db) : Object.keys(migrations)
}

/** Whether a migration was ever begun here. */
export function hasTables(db: Knex): Promise<boolean> {
  return db.schema.hasTable('knex_migrations')
}

/** As pendingMigrations; creates Knex's own tables if they are not there. */
export async function listPending(db: Knex): Promise<string[]> {
  const [, pending]: [unknown, string[]] = await db.migrate.list({
    ...migrationsFor(db, { onMessage: toStderr, appId: '' }),
    disableMigrationsListValidation: true,
  })
  return pending
}

/** Throws `not_ready` with what to do if the database lacks migrations. */
export async function assertMigrated(db: Knex): Promise<void> {
  const pending = await pendingMigrations(db)
  if (pending.length === 0) return
  const none =
    pending.length === Object.keys(migrations).length ? 'This database has no tables of ours: ' : ''
  throw new ServiceError(
    'not_ready',
    `${none}${pending.length} migrations are pending. Run: npm run migrate (or serve --migrate)`,
  )
}

/**
 * Knex's settings for our migrations. On SQLite all that are pending run in one transaction. On MySQL they run in
 * none, since DDL commits it half-way and Knex's savepoints fail after that: there each one can be run again.
 */
export function migrationsFor(db: Knex, params: MigrationParams): Knex.MigratorConfig {
  const config = { transaction: isSqlite(db) }
  return {
    migrationSource: {
      getMigrations: async () => Object.keys(migrations),
      getMigrationName: (name: string) => name,
      getMigration: async (name: string) => {
        const migration = migrations[name]
        if (!migration) throw new Error(`Migration ${name} is not in migrations/index.ts`)
        return {
          up: (trx: Knex) => migration.up(trx, params),
          down: (trx: Knex) => migration.down(trx, params),
          config,
        }
      },
    },
  }
}

export function toStderr(message: string): void {
  process.stderr.write(`${message}\n`)
}
