import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Account } from '../account.js'
import type { Accounts } from '../accounts.js'
import { ServiceError } from '../errors.js'

/** Of query strings and bodies: every call takes it. */
export const AppId = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'The account; may be left out where there is only one',
})

/** Of calls that take nothing else in their query. */
export const AppIdQuery = Type.Object({ app_id: Type.Optional(AppId) }, { additionalProperties: false })

/** The account that a call is about. */
export type AccountOf = (request: FastifyRequest) => Account

/**
 * Reads `app_id` in the query string and the body. A session is about its own account, and may name no other. Throws
 * `unknown_account` and `invalid_request`.
 */
export function createAccountOf(accounts: Accounts): AccountOf {
  return ({ query, body, caller }) => {
    const [inQuery, inBody] = [appIdIn(query), appIdIn(body)]
    if (inQuery !== undefined && inBody !== undefined && inQuery !== inBody)
      throw invalid('is another one in the query than in the body: name one account')
    const named = inQuery ?? inBody
    if (caller?.kind !== 'session') return accounts.of(named)
    if (named !== undefined && named !== caller.appId)
      throw invalid('is not the account of this session: leave it out')
    return accounts.of(caller.appId)
  }
}

function appIdIn(place: unknown): string | undefined {
  if (typeof place !== 'object' || place === null || !('app_id' in place)) return undefined
  if (typeof place.app_id !== 'string') throw invalid('must be a text, and be there once')
  return place.app_id
}

function invalid(fault: string): ServiceError {
  return new ServiceError('invalid_request', `app_id: ${fault}`, { field: 'app_id' })
}
