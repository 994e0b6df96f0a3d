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
import { printDatabase, printError, printMessage } from './output.js'

/** What commands share: exit codes, the signal to stop, and the ways to the database. */

export const EXIT = { ok: 0, error: 1, notFinished: 2, found: 3 } as const
const STOP_LIMIT_MS = 30_000

export interface JsonOption {
  json: boolean
}

export const { env } = process
export const migrationParams: MigrationParams = { onMessage: printMessage, appId: env.WX_APP_ID ?? '' }
export const stop = new AbortController()

/** Runs a command to its exit code. Only the code is set: the process ends when everything is closed. */
export async function command({ json }: JsonOption, run: () => Promise<number>): Promise<void> {
  process.once('SIGINT', requestStop)
  process.once('SIGTERM', requestStop)
  try {
    process.exitCode = await run()
  } catch (error) {
    printError(json, error)
    process.exitCode = EXIT.error
  } finally {
    process.off('SIGINT', requestStop)
    process.off('SIGTERM', requestStop)
  }
}

/** The first signal asks for an orderly end, within a limit; a second one ends the process as usual. */
function requestStop(): void {
  stop.abort()
  setTimeout(() => process.exit(EXIT.error), STOP_LIMIT_MS).unref()
}

/** Resolves at once if the signal came while the command was still starting. */
export function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    if (stop.signal.aborted) resolve()
    else stop.signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

export interface Settings {
  config: Config
  account?: Account
}

/** A database as it is, possibly without a table. Names it first: a path is relative, and a variable easily forgotten. */
export async function withDatabase<T>(
  work: (base: Base) => Promise<T>,
  { config, account }: Settings = { config: readConfig(env) },
): Promise<T> {
  printDatabase(databaseName(config.databaseUrl))
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
  use: 'reads' | 'writes',
  work: (base: Base) => Promise<T>,
  settings: Settings = { config: readConfig(env) },
): Promise<T> {
  assertFileExists(settings.config.databaseUrl)
  return withDatabase(async (base) => {
    if (use === 'writes' && isSqlite(base.db) && (await hasTables(base.db)))
      await migrateLatest(base.db, migrationParams)
    await assertMigrated(base.db)
    return work(base)
  }, settings)
}

/** `check` throws for what is refused, before anything is written. */
export function withSending<T>(
  purpose: Purpose,
  work: (sending: Sending, account: Account) => Promise<T>,
  check: (account: Account, now: number) => void = () => {},
): Promise<T> {
  const { config, account } = readSettings(env, purpose)
  return withBase(
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
