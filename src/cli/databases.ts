import { statSync } from 'node:fs'
import type { Account } from '../account.js'
import { assignUnassigned } from '../books/index.js'
import { type Config, type Purpose, readConfig, readSettings } from '../config/read.js'
import { databaseName, sqliteFile } from '../db/database-name.js'
import { hasTables, type MigrationParams } from '../db/migrate.js'
import { isSqlite } from '../db/sql.js'
import { type Base, openBase, openSending, type Sending } from '../deps.js'
import { ServiceError } from '../errors.js'
import { assertClocksAgree } from '../operations/clock.js'
import { assertMigrated, migrateLatest } from '../schema.js'
import type { Cli } from './command.js'
import { printDatabase } from './output.js'

/** The ways of commands to the database. */

export interface CommandSettings {
  config: Config
  account?: Account
}

export function migrationParams({ env, streams }: Cli): MigrationParams {
  return {
    onMessage: (message) => streams.stderr.write(`${message}\n`),
    appId: env.WX_APP_ID ?? '',
  }
}

/** A database as it is, possibly without a table. Names it first: a path is relative, and a variable easily forgotten. */
export async function withDatabase<T>(
  cli: Cli,
  work: (base: Base) => Promise<T>,
  { config, account }: CommandSettings = { config: readConfig(cli.env) },
): Promise<T> {
  printDatabase(cli.streams, databaseName(config.databaseUrl))
  const base = openBase(config, account)
  try {
    return await work(base)
  } finally {
    await base.close()
  }
}

/**
 * A database with the full schema. One that lacks it is refused, and no file is created: a mistyped path would be called
 * clean. An embedded one of an older release is brought up to date by a command that works on it, since it has nobody
 * else to do it, and left as it is by one that only reads.
 */
export function withBase<T>(
  cli: Cli,
  use: 'reads' | 'writes',
  work: (base: Base) => Promise<T>,
  settings: CommandSettings = { config: readConfig(cli.env) },
): Promise<T> {
  assertFileExists(settings.config.databaseUrl)
  return withDatabase(
    cli,
    async (base) => {
      if (use === 'writes' && isSqlite(base.db) && (await hasTables(base.db)))
        await migrateLatest(base.db, migrationParams(cli))
      await assertMigrated(base.db)
      return work(base)
    },
    settings,
  )
}

/** `check` throws for what is refused, before anything is written. */
export function withSending<T>(
  cli: Cli,
  purpose: Purpose,
  work: (sending: Sending, account: Account) => Promise<T>,
  check: (account: Account, now: number) => void = () => {},
): Promise<T> {
  const { config, account } = readSettings(cli.env, purpose)
  return withBase(
    cli,
    'writes',
    async (base) => {
      await assertClocksAgree(base.db, base.now)
      check(account, base.now())
      await assignUnassigned(base.db, account.appId, base.now())
      const sending = openSending(base, config, account)
      try {
        return await work(sending, account)
      } finally {
        await sending.close()
      }
    },
    { config, account },
  )
}

/** Throws `not_ready` if an embedded database is not there, before anything creates it: opening its file would. */
export function assertFileExists(databaseUrl: string): void {
  const file = sqliteFile(databaseUrl)
  if (file === undefined) return
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats?.isFile() && stats.size > 0) return
  throw new ServiceError(
    'not_ready',
    `There is no database in ${file}. Check DATABASE_URL; a new one is created by: npm run migrate (or serve)`,
  )
}
