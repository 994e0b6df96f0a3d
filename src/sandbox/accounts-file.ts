import { readFileSync } from 'node:fs'
import { Value } from 'typebox/value'
import { ServiceError } from '../errors.js'
import { AccountsJson, toAccountOptions } from './account-schema.js'
import type { AccountOptions } from './accounts.js'

/**
 * The accounts that a JSON file names.
 * @throws ServiceError that names the file and the first field that is wrong.
 */
export function readAccountsFile(path: string): AccountOptions[] {
  const json = parse(path)
  if (Value.Check(AccountsJson, json)) return json.accounts.map(toAccountOptions)
  const [first] = Value.Errors(AccountsJson, json)
  const message = first?.keyword === 'boolean' ? 'is not a known field' : first?.message
  throw new ServiceError('invalid_request', `${path}: ${first?.instancePath || 'the whole'} ${message}`)
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ServiceError(
      'invalid_request',
      `${path}: ${error instanceof Error ? error.message : 'cannot be read'}`,
    )
  }
}
