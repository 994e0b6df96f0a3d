import { ConfigError } from '../errors.js'
import type { Logger } from '../lib/logger.js'
import { type Environment, readSettings, type Settings } from './read.js'

/**
 * Reads ACCOUNTS_FILE again for a process that serves. Returns what it says, or undefined if it has a fault, or if there
 * is no such file: then nothing is to be changed. The log has a line in each case, with all the faults.
 */
export function reloadAccounts(env: Environment, log: Logger): Settings | undefined {
  try {
    const settings = readSettings(env, 'any message')
    if (settings.config.accountsFile === undefined)
      throw new ConfigError(['ACCOUNTS_FILE: is not set, and the environment of a process stays as it is'])
    log.info(
      { event: 'accounts.read', accounts: settings.accounts.length, api_keys: settings.keys.length },
      'SIGHUP: they are taken up now',
    )
    logWarnings(settings, log)
    return settings
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    log.error({ event: 'accounts.refused', faults: error.faults }, 'SIGHUP: everything stays as it was')
    return undefined
  }
}

/** What works, and should not stay so. */
export function logWarnings({ warnings }: Settings, log: Logger): void {
  for (const warning of warnings) log.warn({ event: 'accounts.warning' }, warning)
}
