import type { Knex } from 'knex'
import type { Channel } from '../channel.js'
import { inRequest } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { compareKeys } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { openFollowers } from './followers.js'
import * as store from './store.js'

/** Who numbers the users of an account: the owner's backend, or this service. */
export interface Numbering {
  appId: string
  channel: Channel
  userIds: 'backend' | 'auto'
}

/**
 * Allotted numbers stay below this and jump over all numbers in use. Above it they go around single ones:
 * otherwise one row with the largest possible number would leave none to allot.
 */
const OWN_RANGE = 2 ** 52

/**
 * The user that an open_id belongs to. `auto`: an unknown open_id is allotted a number that no user of the
 * account has or ever had. `backend`: undefined until the owner's backend has bound it.
 */
export async function userIdOf(
  trx: Knex.Transaction,
  account: Numbering,
  openId: string,
  now: number,
): Promise<UserId | undefined> {
  return (await userIdsOf(trx, account, [openId], now)).get(openId)
}

/** userIdOf for many: open_id -> user id. Open_ids without a user are left out. */
export async function userIdsOf(
  trx: Knex.Transaction,
  account: Numbering,
  openIds: string[],
  now: number,
): Promise<Map<string, UserId>> {
  const { appId, userIds } = account
  const known = await findUserIds(trx, appId, openIds)
  if (userIds === 'backend' || openIds.every((openId) => known.has(openId))) return known
  const last = await store.lockLastNumber(trx, appId, now)
  // The previous holder of the lock may have allotted a number to the same open_id.
  const users = await findUserIds(trx, appId, openIds)
  const unknown = [...new Set(openIds)].filter((openId) => !users.has(openId))
  if (unknown.length === 0) return users
  const first = await findFreeNumbers(trx, appId, last, unknown.length)
  await store.setLastNumber(trx, appId, first + unknown.length - 1, now)
  const allotted = unknown.map((openId, i) => ({ openId, userId: first + i }))
  const bound = await bindUsers(trx, appId, allotted, now)
  await openFollowers(trx, account, [...bound.values()], now)
  return new Map([...users, ...bound])
}

/** userIdsOf in a transaction of its own, which is skipped for known users. */
export async function findOrAllotUsers(
  db: Knex,
  account: Numbering,
  openIds: string[],
  now: number,
): Promise<Map<string, UserId>> {
  const known = await findUserIds(db, account.appId, openIds)
  if (account.userIds === 'backend' || openIds.every((openId) => known.has(openId))) return known
  return inRequest(db, (trx) => userIdsOf(trx, account, openIds, now))
}

/**
 * The user of a session, allotted now if that is done here; undefined until the owner's backend has bound one. A login
 * leaves a row, so a session whose person has none is of somebody who was erased since: it would bring the open_id
 * back. Throws `unauthorized` for it.
 */
export async function userOfSession(
  db: Knex,
  account: Numbering,
  openId: string,
  now: number,
): Promise<UserId | undefined> {
  const [person] = await store.findPersons(db, account.appId, [openId])
  if (!person)
    throw new ServiceError(
      'unauthorized',
      'The data of this session was erased: log in again with POST /v1/sessions',
    )
  if (person.userId !== null) return person.userId
  return (await findOrAllotUsers(db, account, [openId], now)).get(openId)
}

/** The first of `n` consecutive free numbers after the last one allotted. */
async function findFreeNumbers(
  trx: Knex.Transaction,
  appId: string,
  last: number,
  n: number,
): Promise<number> {
  const afterUsed = async (from: number, to: number) =>
    ((await store.highestUsed(trx, appId, from, to)) ?? from - 1) + 1
  // The first number follows all existing ones, gaps included: a former user of a number in a gap may be
  // known elsewhere.
  let first = last === 0 ? await afterUsed(1, OWN_RANGE) : last + 1
  for (;;) {
    const next = await afterUsed(first, first + n - 1)
    if (next === first) return first
    first = await afterUsed(next, Math.max(next, OWN_RANGE))
  }
}

/**
 * Binds each open_id that belongs to nobody yet, and returns the user that each belongs to. Existing bindings
 * stay: an open_id has one user. A user may have several open_ids (a second WeChat account). `known`: the rows
 * of these open_ids, where the caller has just read them.
 */
export async function bindUsers(
  trx: Knex.Transaction,
  appId: string,
  bindings: readonly store.Binding[],
  now: number,
  known?: ReadonlyMap<string, UserId | null>,
): Promise<Map<string, UserId>> {
  const persons =
    known ??
    (await findPersons(
      trx,
      appId,
      bindings.map(({ openId }) => openId),
    ))
  const { users, fresh } = planBindings(persons, bindings)
  if (fresh.length === 0) return users
  const absent = fresh.filter(({ openId }) => !persons.has(openId))
  if ((await store.insertBindings(trx, appId, absent, now)) === fresh.length) return users
  // Some have logged in before, or another transaction bound them first.
  await store.bindUnbound(trx, appId, fresh, now)
  return new Map([
    ...users,
    ...(await findUserIds(
      trx,
      appId,
      fresh.map(({ openId }) => openId),
    )),
  ])
}

/**
 * What is yet to be bound, and the user that each open_id then belongs to if nobody else binds it first. Of an open_id
 * that belongs to nobody yet, the first binding counts.
 */
export function planBindings(
  persons: ReadonlyMap<string, UserId | null>,
  bindings: readonly store.Binding[],
): { users: Map<string, UserId>; fresh: store.Binding[] } {
  const users = new Map<string, UserId>()
  for (const [openId, userId] of persons) if (userId !== null) users.set(openId, userId)
  const fresh: store.Binding[] = []
  for (const binding of bindings) {
    if (users.has(binding.openId)) continue
    users.set(binding.openId, binding.userId)
    fresh.push(binding)
  }
  // Sorted, so that two transactions that bind the same open_ids wait for each other in one order.
  fresh.sort((a, b) => compareKeys(a.openId, b.openId))
  return { users, fresh }
}

/** Binds an open_id to a user; binding it again changes nothing. Throws `conflict` if it belongs to another user. */
export async function bindUser(
  trx: Knex.Transaction,
  account: Pick<Numbering, 'appId' | 'channel'>,
  { openId, userId }: store.Binding,
  now: number,
): Promise<void> {
  const users = await bindUsers(trx, account.appId, [{ openId, userId }], now)
  if (users.get(openId) !== userId) {
    throw new ServiceError(
      'conflict',
      'This open_id belongs to another user; nothing was changed. To hand it over: PUT /v1/users with move_permits',
    )
  }
  await openFollowers(trx, account, [userId], now)
}

async function findUserIds(db: Knex, appId: string, openIds: string[]): Promise<Map<string, UserId>> {
  const users = new Map<string, UserId>()
  for (const [openId, userId] of await findPersons(db, appId, openIds))
    if (userId !== null) users.set(openId, userId)
  return users
}

async function findPersons(db: Knex, appId: string, openIds: string[]): Promise<Map<string, UserId | null>> {
  const persons = await store.findPersons(db, appId, [...new Set(openIds)])
  return new Map(persons.map(({ openId, userId }) => [openId, userId]))
}
