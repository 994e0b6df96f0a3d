import type { Knex } from 'knex'
import { inRequest } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import type { Items } from '../http/batch.js'
import type { Caller } from '../http/callers.js'
import { MAX_USER_ID, toUserId, type UserId } from '../lib/user-id.js'
import { findPersons } from './store.js'
import { bindUser, findOrAllotUsers, type Numbering } from './user-ids.js'

/** The person a call names. A session names nobody: it acts for its own user. */
interface Named {
  open_id?: string | undefined
  user_id?: number | string | undefined
}

export interface Person {
  openId: string
  userId: UserId
}

/** No page sends more in one call. */
const MAX_SESSION_ITEMS = 20

/**
 * The person each item of a call is about. With a session it is the session's user, and an item that names
 * somebody is refused. A backend names an open_id and, unless user ids are allotted here, a user_id. Binds
 * nothing that the call names.
 */
export async function personsOf<Item extends Named>(
  db: Knex,
  account: Numbering,
  caller: Caller,
  items: Items<Item>,
  now: number,
): Promise<Items<{ item: Item; person: Person }>> {
  if (caller.kind === 'session') {
    if (items.all.length > MAX_SESSION_ITEMS)
      throw invalid('items', `must NOT have more than ${MAX_SESSION_ITEMS} items with a session`)
    const person = { openId: caller.openId, userId: caller.userId }
    return items.map((item, pathOf) => {
      refuseNames(item, pathOf)
      return { item, person }
    })
  }

  const named = items.map((item, pathOf) => ({ item, ...readNames(account, item, pathOf) }))
  const unnamed = named.good.filter(({ userId }) => userId === undefined).map(({ openId }) => openId)
  const users =
    unnamed.length === 0 ? new Map<string, UserId>() : await findOrAllotUsers(db, account, unnamed, now)
  return named.map(({ item, openId, userId }) => ({
    item,
    person: { openId, userId: userId ?? userOf(users, openId) },
  }))
}

function readNames(
  account: Numbering,
  { open_id: openId, user_id: userId }: Named,
  pathOf: (field: string) => string,
): { openId: string; userId: UserId | undefined } {
  if (openId === undefined) throw invalid(pathOf('open_id'), 'is missing')
  if (userId === undefined && account.userIds === 'backend')
    throw invalid(pathOf('user_id'), 'is missing; it may be left out only with USER_IDS=auto')
  return { openId, userId: userId === undefined ? undefined : readUserId(userId, pathOf('user_id')) }
}

/**
 * The user that a call is about. A backend names a user_id or an open_id; if it names both, they are bound to
 * each other. Throws `user_not_bound` for an open_id without a user, `conflict` for an open_id of another
 * user.
 */
export async function userIdFor(
  db: Knex,
  account: Numbering,
  caller: Caller,
  named: Named,
  now: number,
): Promise<UserId> {
  if (caller.kind === 'session') {
    refuseNames(named, (field) => field)
    return caller.userId
  }
  const { open_id: openId, user_id } = named
  const userId = user_id === undefined ? undefined : readUserId(user_id, 'user_id')
  if (openId === undefined) {
    if (userId === undefined) throw invalid('user_id', 'is missing')
    return userId
  }
  if (userId !== undefined) {
    await inRequest(db, (trx) => bindUser(trx, account, { openId, userId }, now))
    return userId
  }
  const found = (await findOrAllotUsers(db, account, [openId], now)).get(openId)
  if (found === undefined)
    throw new ServiceError('user_not_bound', 'This open_id has no user yet: send its user_id as well')
  return found
}

/** The user that a question is about. Binds and allots nothing. */
export async function userIdNamed(
  db: Knex,
  appId: string,
  caller: Caller,
  { open_id: openId, user_id: userId }: Named,
): Promise<UserId> {
  if (caller.kind === 'session') {
    refuseNames({ open_id: openId, user_id: userId }, (field) => field)
    return caller.userId
  }
  if (userId !== undefined) {
    if (openId !== undefined) throw invalid('open_id', 'must be left out when there is a user_id')
    return readUserId(userId, 'user_id')
  }
  if (openId === undefined) throw invalid('user_id', 'is missing')
  const [person] = await findPersons(db, appId, [openId])
  if (!person || person.userId === null) throw new ServiceError('user_not_bound', 'This open_id has no user')
  return person.userId
}

/** A user_id as the schemas accept it: a safe integer, or up to 19 digits. */
export function readUserId(value: number | string, field: string): UserId {
  if (typeof value === 'number') return value
  const userId = toUserId(value)
  if (userId > MAX_USER_ID) throw invalid(field, `must be <= ${MAX_USER_ID}`)
  return userId
}

function userOf(users: Map<string, UserId>, openId: string): UserId {
  const userId = users.get(openId)
  if (userId === undefined) throw new Error('an open_id was allotted no user')
  return userId
}

function refuseNames(item: Named, pathOf: (field: string) => string): void {
  for (const name of ['open_id', 'user_id'] as const) {
    if (item[name] !== undefined)
      throw invalid(pathOf(name), 'must be left out: a session acts for its own user only')
  }
}

function invalid(field: string, fault: string): ServiceError {
  return new ServiceError('invalid_request', `${field}: ${fault}`, { field })
}
