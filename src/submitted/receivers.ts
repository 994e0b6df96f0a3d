import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { needsPermit } from '../channel.js'
import { ServiceError } from '../errors.js'
import type { UserId } from '../lib/user-id.js'
import { readUserId } from '../users/persons.js'
import { findPersons } from '../users/store.js'
import type { Item } from './schemas.js'
import * as store from './store.js'

/** Whom a message names, in one of two ways. */
export type Named = { userId: UserId } | { openId: string }

export interface Receiver {
  userId: UserId
  /**
   * Where it goes: the open_id that was named, or, of a message without a permit, that of the user; null: the one that
   * gave its permit.
   */
  openId: string | null
}

/** Throws `invalid_request` unless exactly one of the two is there. */
export function readNamed(
  { user_id, open_id }: Pick<Item, 'user_id' | 'open_id'>,
  pathOf: (field: string) => string,
): Named {
  const refuse = (name: string, fault: string): ServiceError => {
    const field = pathOf(name)
    return new ServiceError('invalid_request', `${field}: ${fault}`, { field })
  }
  if (user_id !== undefined) {
    if (open_id !== undefined) throw refuse('open_id', 'must be left out when there is a user_id')
    return { userId: readUserId(user_id, pathOf('user_id')) }
  }
  if (open_id === undefined) throw refuse('user_id', 'is missing')
  return { openId: open_id }
}

/**
 * Whom each message goes to, or why it cannot: an open_id without a user, a user without an open_id where one is needed,
 * or a user who wants no messages of this template. Binds and allots nothing.
 */
export async function receiversOf(
  db: Knex,
  { appId, channel }: Pick<Account, 'appId' | 'channel'>,
  messages: readonly { named: Named; templateId: string }[],
): Promise<(Receiver | ServiceError)[]> {
  const openIds = messages.flatMap(({ named }) => ('openId' in named ? [named.openId] : []))
  const persons = await findPersons(db, appId, [...new Set(openIds)])
  const users = new Map(persons.map(({ openId, userId }) => [openId, userId]))
  const userOf = (named: Named): UserId | null =>
    'userId' in named ? named.userId : (users.get(named.openId) ?? null)
  const ids = messages.flatMap(({ named }) => userOf(named) ?? [])
  const stops = await store.findStops(db, appId, ids)
  const openIdOf = needsPermit(channel) ? undefined : await store.findOpenIds(db, appId, ids)
  return messages.map(({ named, templateId }) => {
    const userId = userOf(named)
    if (userId === null) return new ServiceError('user_not_bound', 'This open_id has no user')
    if (stops.some((stop) => stop.userId === userId && (stop.templateId ?? templateId) === templateId))
      return new ServiceError(
        'user_stopped',
        'The user wants no messages, or WeChat lets none through: see stops of GET /v1/users/{user_id}',
      )
    if ('openId' in named) return { userId, openId: named.openId }
    if (!openIdOf) return { userId, openId: null }
    const openId = openIdOf.get(userId)
    return openId === undefined
      ? new ServiceError('user_not_bound', 'No open_id is bound to this user: bind it first (PUT /v1/users)')
      : { userId, openId }
  })
}
