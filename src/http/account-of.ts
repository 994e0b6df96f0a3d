import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Account } from '../account.js'
import type { Accounts } from '../accounts.js'

/** Of query strings and bodies: every call takes it. */
export const AppId = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'The account; may be left out where there is only one',
})

/** The account that a call is about. */
export type AccountOf = (request: FastifyRequest) => Account

/** Reads `app_id` in the query string or the body; both have been validated by the route's schema. */
export function createAccountOf(accounts: Accounts): AccountOf {
  return ({ query, body }) => accounts.of(appIdIn(query) ?? appIdIn(body))
}

function appIdIn(place: unknown): string | undefined {
  if (typeof place !== 'object' || place === null || !('app_id' in place)) return undefined
  return typeof place.app_id === 'string' ? place.app_id : undefined
}
