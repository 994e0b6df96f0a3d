import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ApiKey } from '../http/api-keys.js'
import { parseStrictJson } from '../lib/strict-json.js'
import { ACCOUNT_PROPERTIES } from './account-properties.js'
import type { Faults } from './faults.js'
import { type FileAccount, readFileAccount } from './file-account.js'
import { readFileKeys } from './file-keys.js'
import { listOf, membersOf } from './members.js'
import { variableIn } from './references.js'
import type { Environment } from './secret-files.js'

/** 1,000 accounts with long texts take some 2 MB. */
const MAX_BYTES = 8 * 1024 ** 2
const EVERYBODY_READS = 0o004

export interface AccountsFile {
  accounts: FileAccount[]
  keys: ApiKey[]
  /** What works, and should not stay so. */
  warnings: string[]
}

/**
 * Reads ACCOUNTS_FILE: who is served, and who may call. `env` has the variables that secrets refer to. What is wrong is
 * added to the faults; values of accounts are not looked at yet.
 */
export function readAccountsFile(path: string, env: Environment, faults: Faults): AccountsFile {
  const none = { accounts: [], keys: [], warnings: [] }
  const text = faults.catch('ACCOUNTS_FILE', () => readText(path))
  if (text === undefined) return none
  const parsed = faults.catch('ACCOUNTS_FILE', () => ({ json: parseStrictJson(text) }))
  if (!parsed) return none
  const members = membersOf(parsed.json, '', ['$schema', 'accounts', 'api_keys'], faults)
  if (!members) return none
  if ('$schema' in members && typeof members.$schema !== 'string') faults.add('$schema', 'must be a text')

  const list = 'accounts' in members ? listOf(members.accounts, 'accounts', faults) : []
  if (list.length === 0) faults.add('accounts', 'is empty: name at least one account')
  refuseVariables(env, text, faults)
  const from = { env, folder: dirname(path) }
  const accounts = list.map((value, i) => readFileAccount(value, `accounts[${i}]`, from, faults))
  const appIds = accounts.flatMap(({ variables }) => variables.WX_APP_ID ?? [])
  refuseTwice(accounts, faults)
  const keys = 'api_keys' in members ? readFileKeys(members.api_keys, appIds, faults) : []
  return { accounts, keys, warnings: warningsOf(path, accounts) }
}

/** A byte order mark, as Windows' editors write it, does not belong to the text. */
function readText(path: string): string {
  const stats = statSync(path)
  if (!stats.isFile()) throw new Error(`${path} is not a file`)
  if (stats.size > MAX_BYTES) throw new Error(`${path} has more than ${MAX_BYTES / 1024 ** 2} MiB`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
  } catch (error) {
    if (error instanceof TypeError) throw new Error(`${path} is not in UTF-8`)
    throw error
  }
}

/** Variables of one account beside the file: nobody could say which of them counts. */
function refuseVariables(env: Environment, text: string, faults: Faults): void {
  const referred = new Set(
    [...text.matchAll(/"(\$\{\w+\})"/g)].map(([, reference = '']) => variableIn(reference)),
  )
  for (const [variable, { path }] of Object.entries(ACCOUNT_PROPERTIES)) {
    if (env[variable] && !referred.has(variable))
      faults.add(variable, `is set, and ACCOUNTS_FILE too: leave it out, and write "${path}" in the file`)
  }
}

function refuseTwice(accounts: FileAccount[], faults: Faults): void {
  const seen = new Map<string, number>()
  for (const [i, { variables }] of accounts.entries()) {
    const appId = variables.WX_APP_ID
    if (appId === undefined) continue
    const before = seen.get(appId)
    if (before === undefined) seen.set(appId, i)
    else
      faults.add(`accounts[${i}].app_id`, `"${appId}" is accounts[${before}] too: each account stands once`)
  }
}

function warningsOf(path: string, accounts: FileAccount[]): string[] {
  const isOpen = process.platform !== 'win32' && (statSync(path).mode & EVERYBODY_READS) !== 0
  if (!isOpen || !accounts.some(({ hasLiteralSecret }) => hasLiteralSecret)) return []
  return [
    `${path} holds secrets, and every user of this machine may read it: chmod 640 it, or refer to them by file:`,
  ]
}
