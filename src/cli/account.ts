import type { Command } from 'commander'
import type { Account } from '../account.js'
import { type Config, type Purpose, readSettings } from '../config/read.js'
import { ServiceError } from '../errors.js'
import type { Cli, JsonOption } from './command.js'

/** How commands learn which account they work for. */

export interface AccountOptions extends JsonOption {
  appId?: string
}

/** Adds a command that works for one account. `which` tells of the option, for one that can work for all too. */
export function addAccountCommand(
  program: Command,
  name: string,
  which = 'the account that it works for; may be left out where there is only one',
): Command {
  return program.command(name).option('--app-id <APP_ID>', which)
}

export interface AccountSettings {
  config: Config
  account: Account
  /** Whether rows of a time before there were accounts are its own; of several, nobody knows. */
  isOnly: boolean
}

/**
 * Settings, and the account that is named, or the only one. Throws ConfigError with all faults of the settings,
 * `unknown_account`, and `invalid_request` if there are several accounts and none is named.
 */
export function readAccountSettings(
  { env }: Cli,
  purpose: Purpose,
  { appId }: Pick<AccountOptions, 'appId'>,
): AccountSettings {
  const { config, accounts } = readSettings(env, purpose, appId)
  return { config, account: findAccount(accounts, appId), isOnly: accounts.length === 1 }
}

/** Throws `unknown_account`, and `invalid_request` if there are several accounts and none is named. */
export function findAccount(accounts: readonly Account[], appId: string | undefined): Account {
  const [only, ...others] = accounts
  const names = accounts.map((account) => account.appId).join(', ')
  if (appId === undefined) {
    if (only && others.length === 0) return only
    throw new ServiceError('invalid_request', `There are several accounts: name one with --app-id: ${names}`)
  }
  const named = accounts.find((account) => account.appId === appId)
  if (named) return named
  throw new ServiceError('unknown_account', `There is no account ${appId}; there is: ${names}`)
}
