import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import type { UserId } from '../lib/user-id.js'
import { readUserId } from '../users/persons.js'
import { findPersons } from '../users/store.js'
import { needsPermit } from './need.js'
import type { Item } from './schemas.js'
import * as store from './store.js'

export interface Receiver {
  userId: UserId
  /** Where a message without a permit goes; null: to the open_id that gave its permit. */
  openId: string | null
}

/**
 * Whom each message is for, or why it cannot be sent to them: an open_id without a user, a user without an open_id where
 * one is needed, or a user who wants no messages. Binds and allots nothing.
 */
export async function receiversOf(
  db: Knex,
  { appId, channel }: Account,
  items: Pick<Item, 'user_id' | 'open_id'>[],
): Promise<(Receiver | ServiceError)[]> {
  const openIds = items.flatMap(({ open_id, user_id }) =>
    open_id !== undefined && user_id === undefined ? [open_id] : [],
  )
  const persons = await findPersons(db, appId, [...new Set(openIds)])
  const users = new Map(persons.map(({ openId, userId }) => [openId, userId]))
  const named = items.map((item) => userOf(item, users))
  const ids = named.filter((user): user is UserId => !(user instanceof ServiceError))
  const stopped = await store.findStopped(db, appId, ids)
  const openIdOf = needsPermit(channel) ? undefined : await store.findOpenIds(db, appId, ids)
  return named.map((user) => {
    if (user instanceof ServiceError) return user
    if (stopped.has(user))
      return new ServiceError(
        'user_stopped',
        'The user wants no messages, or WeChat lets none through: see stops of GET /v1/users/{user_id}',
      )
    if (!openIdOf) return { userId: user, openId: null }
    const openId = openIdOf.get(user)
    return openId === undefined
      ? new ServiceError('user_not_bound', 'No open_id is bound to this user: bind it first (PUT /v1/users)')
      : { userId: user, openId }
  })
}

function userOf({ user_id, open_id }: Pick<Item, 'user_id' | 'open_id'>, users: Map<string, UserId | null>) {
  const refuse = (field: string, fault: string) =>
    new ServiceError('invalid_request', `${field}: ${fault}`, { field })
  if (user_id !== undefined) {
    if (open_id !== undefined) return refuse('open_id', 'must be left out when there is a user_id')
    try {
      return readUserId(user_id, 'user_id')
    } catch (error) {
      if (error instanceof ServiceError) return error
      throw error
    }
  }
  if (open_id === undefined) return refuse('user_id', 'is missing')
  return users.get(open_id) ?? new ServiceError('user_not_bound', 'This open_id has no user')
}
