import type { Knex } from 'knex'
import { execute, isSqlite, MAX_LIST, placeholders, selectRows } from '../db/sql.js'
import { ServiceError } from '../errors.js'
import { chunks } from '../lib/chunks.js'
import { groupBy } from '../lib/group-by.js'
import { sortedUnique } from '../lib/sorted.js'
import { toJson, type UserId } from '../lib/user-id.js'
import { countByUser, countDown, lockCounters } from './counters.js'
import { byId, type LockedPermit, lockPermits } from './locked-permits.js'
import { type Condition, oldestUsablePermit } from './usable.js'

/** A message to come, and which of its user's permits it may spend. */
export interface PermitWant {
  userId: UserId
  usable: Condition
}

/**
 * Another transaction took a permit between our look and our lock. The whole transaction starts over, and finds the next
 * one; a caller sees this error only if that happened many times in a row.
 */
export class PermitsMoved extends ServiceError {
  constructor() {
    super('overloaded', 'Permits of these users are being spent at this moment; try again shortly')
  }
}

/**
 * Finds and locks for each message its user's oldest usable permit that no message before it has, and the counters of
 * all users. Returns the permits in the order of the messages; undefined where there is none. Throws PermitsMoved.
 */
export async function lockPermitsFor(
  trx: Knex.Transaction,
  appId: string,
  wants: PermitWant[],
): Promise<(number | undefined)[]> {
  const found = await findPermitsFor(trx, appId, wants)
  const locked = new Map<number, LockedPermit>()
  const ids = sortedUnique(found.filter((id) => id !== undefined))
  for (const chunk of chunks(ids, MAX_LIST))
    for (const [id, permit] of await lockPermits(trx, chunk)) locked.set(id, permit)
  for (const users of chunks(sortedUnique(wants.map(({ userId }) => userId)), MAX_LIST))
    await lockCounters(trx, appId, users)
  for (const [i, id] of found.entries()) {
    const permit = id === undefined ? undefined : locked.get(id)
    if (id !== undefined && (permit?.status !== 0 || permit.user_id !== wants[i]?.userId))
      throw new PermitsMoved()
  }
  return found
}

/** Without locks: first one message of each user, then the next of those who have several. */
async function findPermitsFor(
  trx: Knex.Transaction,
  appId: string,
  wants: PermitWant[],
): Promise<(number | undefined)[]> {
  const found: (number | undefined)[] = wants.map(() => undefined)
  for (const round of roundsOf(wants)) {
    const taken = found.filter((id) => id !== undefined)
    const alike = groupBy(round, (i) => toJson(wants[i]?.usable))
    for (const group of alike.values()) {
      const users = new Map(group.map((i) => [wants[i]?.userId, i]))
      const usable = wants[group[0] ?? 0]?.usable
      if (!usable) continue
      const free = taken.length === 0 ? usable : without(usable, taken)
      for (const { user_id, permit_id } of await findOldest(trx, appId, [...users.keys()], free)) {
        const i = users.get(user_id)
        if (i !== undefined && permit_id !== null) found[i] = permit_id
      }
    }
  }
  return found
}

/** Indexes of the messages, so that no user is twice in a round. */
function roundsOf(wants: PermitWant[]): number[][] {
  const rounds: number[][] = []
  const seen = new Map<UserId, number>()
  for (const [i, { userId }] of wants.entries()) {
    const round = seen.get(userId) ?? 0
    seen.set(userId, round + 1)
    rounds[round] = [...(rounds[round] ?? []), i]
  }
  return rounds
}

function without({ sql, bindings }: Condition, ids: number[]): Condition {
  return { sql: `${sql} AND f.id NOT IN (${placeholders(ids.length)})`, bindings: [...bindings, ...ids] }
}

async function findOldest(
  trx: Knex.Transaction,
  appId: string,
  users: (UserId | undefined)[],
  usable: Condition,
): Promise<{ user_id: UserId; permit_id: number | null }[]> {
  const rows: { user_id: UserId; permit_id: number | null }[] = []
  for (const chunk of chunks(sortedUnique(users.filter((user) => user !== undefined)), MAX_LIST))
    rows.push(
      ...(await selectRows<{ user_id: UserId; permit_id: number | null }>(
        trx,
        `SELECT p.user_id, ${oldestUsablePermit(trx, usable)} AS permit_id
         FROM wx_message_push_status p WHERE p.app_id = ? AND p.user_id IN (${placeholders(chunk.length)})`,
        [...usable.bindings, appId, ...chunk],
      )),
    )
  return rows
}

/**
 * Spends locked permits on the messages that were written with them, and counts their users down. Throws if a message
 * has no such permit: the transaction must then be rolled back.
 */
export async function spendOnMessages(
  trx: Knex.Transaction,
  appId: string,
  messages: { id: number; userId: UserId }[],
  now: number,
): Promise<void> {
  for (const chunk of chunks(messages, MAX_LIST)) {
    const ids = placeholders(chunk.length)
    const sql = isSqlite(trx)
      ? `UPDATE wx_save_form_id AS f SET status = 1, message_id = m.id, updated_at = ?
         FROM wx_push_message m WHERE m.id IN (${ids}) AND f.id = m.permit_id AND f.status = 0`
      : `UPDATE wx_push_message m STRAIGHT_JOIN wx_save_form_id f${byId(trx)} ON f.id = m.permit_id
         SET f.status = 1, f.message_id = m.id, f.updated_at = ? WHERE m.id IN (${ids}) AND f.status = 0`
    const { affectedRows } = await execute(trx, sql, [now, ...chunk.map(({ id }) => id)])
    if (affectedRows !== chunk.length)
      throw new Error(`${chunk.length} submitted messages spent ${affectedRows} permits`)
  }
  const spent = countByUser(messages.map(({ userId }) => ({ user_id: userId })))
  for (const [by, users] of groupBy([...spent.keys()], (userId) => spent.get(userId) ?? 0))
    for (const chunk of chunks(sortedUnique(users), MAX_LIST)) await countDown(trx, appId, chunk, by, now)
}
