import { statSync } from 'node:fs'
import { type Account, secretsOf } from '../account.js'
import { assignUnassigned } from '../books/index.js'
import { type Config, type Purpose, readConfig, readSettings } from '../config/read.js'
import { databaseName, sqliteFile } from '../db/database-name.js'
import { hasTables, type MigrationParams } from '../db/migrate.js'
import { isSqlite } from '../db/sql.js'
import { type Base, openBase, openSending, type Sending, type ServiceBase } from '../deps.js'
import { ServiceError } from '../errors.js'
import { hasRows } from '../operations/account-store.js'
import { assertClocksAgree } from '../operations/clock.js'
import { assertMigrated, migrateLatest } from '../schema.js'
import { openAllFollowers } from '../users/followers.js'
import { type AccountOptions, findAccount, readAccountSettings } from './account.js'
import type { Cli } from './command.js'
import { printDatabase } from './output.js'

/** How commands reach the database. */

export interface CommandSettings {
  config: Config
  account?: Account
}

/** `appId`: the account that rows without one belong to; WX_APP_ID if it is left out. */
export function migrationParams({ env, streams }: Cli, appId = env.WX_APP_ID ?? ''): MigrationParams {
  return {
    onMessage: (message) => streams.stderr.write(`${message}\n`),
    appId,
  }
}

/**
 * Opens a database as it is, possibly without tables. Prints its name first: a path is relative, and a variable is
 * easily forgotten.
 */
export async function withDatabase<T>(
  cli: Cli,
  work: (base: ServiceBase) => Promise<T>,
  { config, account }: CommandSettings = { config: readConfig(cli.env) },
): Promise<T> {
  printDatabase(cli.streams, databaseName(config.databaseUrl))
  const base = openBase(config, account ? secretsOf(account) : [])
  try {
    return await work(base)
  } finally {
    await base.close()
  }
}

/**
 * Opens a database with the full schema. A database without it is refused, and no file is created: otherwise a
 * mistyped path would pass as a clean database. A command that writes brings an embedded database of an older release
 * up to date, since nobody else does; a command that only reads leaves it as it is.
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

/** `check` throws if the command is to be refused, before anything is written to the account's rows. */
export function withSending<T>(
  cli: Cli,
  purpose: Purpose,
  options: AccountOptions,
  work: (sending: Sending, account: Account) => Promise<T>,
  check: (account: Account, now: number) => void = () => {},
): Promise<T> {
  const { config, account, isOnly } = readAccountSettings(cli, purpose, options)
  return withBase(
    cli,
    'writes',
    async (base) => {
      await assertClocksAgree(base.db, base.now)
      check(account, base.now())
      if (isOnly) await assignUnassigned(base.db, account.appId, base.now())
      await openAllFollowers(base.db, account, base.now())
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

/**
 * Throws `unknown_account` if neither the database nor the settings know the account: otherwise a mistyped one would pass
 * as one without faults. One that was taken out of the settings has its rows still.
 */
export async function assertKnown({ env }: Cli, { db }: Base, appId: string | undefined): Promise<void> {
  if (appId === undefined || (await hasRows(db, appId))) return
  findAccount(readSettings(env, 'nothing', appId).accounts, appId)
}

/**
 * Throws `not_ready` if the file of an embedded database is missing or empty. Call it before opening the database:
 * that would create the file.
 */
export function assertFileExists(databaseUrl: string): void {
  const file = sqliteFile(databaseUrl)
  if (file === undefined) return
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats?.isFile() && stats.size > 0) return
  throw new ServiceError(
    'not_ready',
    `There is no database at ${file}. Check DATABASE_URL; to create a new one, run: npm run migrate (or serve)`,
  )
}
