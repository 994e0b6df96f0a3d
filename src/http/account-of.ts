import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Account } from '../account.js'
import type { Accounts } from '../accounts.js'
import { ServiceError } from '../errors.js'
import type { Caller } from './callers.js'

/** Of query strings and bodies: every call takes it. */
export const AppId = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'The account; may be left out where there is only one, or the API key is bound to only one',
})

/** Of calls that take nothing else in their query. */
export const AppIdQuery = Type.Object({ app_id: Type.Optional(AppId) }, { additionalProperties: false })

/**
 * The account that a call is about: the one that it names, else the only one that its caller may speak for. Throws
 * `forbidden` for an account of others, `unknown_account`, or `invalid_request` if none is named and there are several.
 */
export type AccountOf = (request: FastifyRequest) => Account

/**
 * Reads `app_id` in the query string and the body. A session is about its own account, and may name no other. Throws
 * `unknown_account` and `invalid_request`.
 */
export function createAccountOf(accounts: Accounts): AccountOf {
  return (request) => accounts.of(appIdFor(request.caller, appIdNamed(request)))
}

function appIdNamed({ query, body }: FastifyRequest): string | undefined {
  const [ofQuery, ofBody] = [appIdIn(query), appIdIn(body)]
  if (ofQuery !== undefined && ofBody !== undefined && ofQuery !== ofBody)
    throw invalid('is another one in the query than in the body: name one account')
  return ofQuery ?? ofBody
}

function appIdIn(place: unknown): string | undefined {
  if (typeof place !== 'object' || place === null || !('app_id' in place)) return undefined
  if (typeof place.app_id !== 'string') throw invalid('must be a text, and be there once')
  return place.app_id
}

function invalid(fault: string): ServiceError {
  return new ServiceError('invalid_request', `app_id: ${fault}`, { field: 'app_id' })
}

/** Without a caller, somebody is logging in: the account decides who it is. */
function appIdFor(caller: Caller | undefined, named: string | undefined): string | undefined {
  if (!caller) return named
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
