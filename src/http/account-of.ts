import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Account } from '../account.js'
import type { Accounts } from '../accounts.js'
import { ServiceError } from '../errors.js'
import { type Caller, callerOf } from './callers.js'

/** Of query strings and bodies: every call takes it. */
export const AppId = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'The account; may be left out where there is only one, or the API key is bound to only one',
})

/**
 * The account that a call is about: the one that it names, else the only one that its caller may speak for. Throws
 * `forbidden` for an account of others, `unknown_account`, or `invalid_request` if none is named and there are several.
 */
export type AccountOf = (request: FastifyRequest) => Account

/** Reads `app_id` in the query string or the body; both have been validated by the route's schema. */
export function createAccountOf(accounts: Accounts): AccountOf {
  return (request) => accounts.of(appIdFor(callerOf(request), appIdNamed(request)))
}

function appIdNamed({ query, body }: FastifyRequest): string | undefined {
  const [ofQuery, ofBody] = [appIdIn(query), appIdIn(body)]
  if (ofQuery !== undefined && ofBody !== undefined && ofQuery !== ofBody)
    throw new ServiceError('invalid_request', 'app_id: the address and the body name different accounts', {
      field: 'app_id',
    })
  return ofQuery ?? ofBody
}

function appIdIn(place: unknown): string | undefined {
  if (typeof place !== 'object' || place === null || !('app_id' in place)) return undefined
  return typeof place.app_id === 'string' ? place.app_id : undefined
}

function appIdFor(caller: Caller, named: string | undefined): string | undefined {
  if (caller.kind === 'session') {
    if (named !== undefined && named !== caller.appId)
      throw new ServiceError('forbidden', `This session belongs to another account than ${named}`)
    return caller.appId
  }
  if (caller.appIds === 'all') return named
  const [only, ...others] = caller.appIds
  const appId = named ?? (others.length === 0 ? only : undefined)
  if (appId === undefined)
    throw new ServiceError(
      'invalid_request',
      'app_id: is missing, and this API key is bound to several accounts',
      {
        field: 'app_id',
      },
    )
  if (!caller.appIds.includes(appId))
    throw new ServiceError(
      'forbidden',
      `The API key "${caller.name}" is not bound to the account ${appId}: look at app_id`,
      { app_id: appId },
    )
  return appId
}
