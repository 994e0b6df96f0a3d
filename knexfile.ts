import knex, { type Knex } from 'knex'
import { withSecretFiles } from './src/config/secret-files.js'
import { DEFAULT_DATABASE_URL, knexConfig } from './src/db/connect.js'
import { databaseName } from './src/db/database-name.js'
import type { MigrationParams } from './src/db/migrate.js'
import { takeMigrationLock } from './src/db/migration-lock.js'
import { isSqlite } from './src/db/sql.js'
import { joinInterrupted, listPending, migrationsFor } from './src/schema.js'

const WRITES = /^migrate:(latest|up|down|rollback|to|before)$/

/**
 * Settings of the Knex command line, which calls this function before it does anything else. A command that migrates
 * first waits for the lock that the service takes too; the lock is held until the command ends.
 */
export default async function knexfile(): Promise<Knex.Config> {
  const databaseUrl = withSecretFiles(process.env).DATABASE_URL ?? DEFAULT_DATABASE_URL
  const config = knexConfig(databaseUrl)
  toStderr(`Database: ${databaseName(databaseUrl)}`)
  const params: MigrationParams = { onMessage: toStderr, appId: process.env.WX_APP_ID ?? '' }
  const db = knex(config)
  try {
    if (process.argv.some((word) => WRITES.test(word))) {
      if (!isSqlite(db)) await takeMigrationLock(config, toStderr)
      // The list creates Knex's tables. In a transaction because of SQLite, where another command may do so at that moment.
      await db.transaction(listPending)
      await joinInterrupted(db)
    }
    return { ...config, migrations: migrationsFor(db, params), seeds: { directory: './seeds' } }
  } finally {
    await db.destroy()
  }
}

function toStderr(message: string): void {
  process.stderr.write(`${message}\n`)
}
