import type { Knex } from 'knex'
import {
  execute,
  forUpdate,
  forUpdateNowait,
  isSqlite,
  MAX_LIST,
  placeholders,
  selectRows,
} from '../db/sql.js'
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
  /** The open_id that it is addressed to, whose permits alone it may spend; null: any of its user's. */
  openId: string | null
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
 * all users. Returns the permits in the order of the messages; undefined where there is none. Throws PermitsMoved, and
 * with `wait: false` a lock wait as soon as another transaction holds one of the rows.
 */
export async function lockPermitsFor(
  trx: Knex.Transaction,
  appId: string,
  wants: PermitWant[],
  { wait = true }: { wait?: boolean } = {},
): Promise<(number | undefined)[]> {
  const lock = wait ? forUpdate : forUpdateNowait
  const found = await findPermitsFor(trx, appId, wants)
  const locked = new Map<number, LockedPermit>()
  const ids = sortedUnique(found.filter((id) => id !== undefined))
  for (const chunk of chunks(ids, MAX_LIST))
    for (const [id, permit] of await lockPermits(trx, chunk, lock)) locked.set(id, permit)
  for (const users of chunks(sortedUnique(wants.map(({ userId }) => userId)), MAX_LIST))
    await lockCounters(trx, appId, users, lock)
  for (const [i, id] of found.entries()) {
    const permit = id === undefined ? undefined : locked.get(id)
    if (id !== undefined && (permit?.status !== 0 || permit.user_id !== wants[i]?.userId))
      throw new PermitsMoved()
  }
  return found
}

/** A message with its place among all. */
interface Numbered extends PermitWant {
  i: number
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
    const alike = groupBy(round, ({ usable, openId }) => toJson([usable, openId === null]))
    for (const group of alike.values())
      for (const chunk of chunks(group, MAX_LIST)) {
        const places = new Map(chunk.map(({ userId, i }) => [userId, i]))
        for (const { user_id, permit_id } of await findOldest(trx, appId, chunk, taken)) {
          const i = places.get(user_id)
          if (i !== undefined && permit_id !== null) found[i] = permit_id
        }
      }
  }
  return found
}

/** So that no user is twice in a round. */
function roundsOf(wants: PermitWant[]): Numbered[][] {
  const rounds: Numbered[][] = []
  const seen = new Map<UserId, number>()
  for (const [i, want] of wants.entries()) {
    const round = seen.get(want.userId) ?? 0
    seen.set(want.userId, round + 1)
    rounds[round] = [...(rounds[round] ?? []), { ...want, i }]
  }
  return rounds
}

function without({ sql, bindings }: Condition, ids: number[]): Condition {
  return { sql: `${sql} AND f.id NOT IN (${placeholders(ids.length)})`, bindings: [...bindings, ...ids] }
}

/** Each user's oldest permit for these messages, which are alike, of different users, and at most MAX_LIST. */
async function findOldest(
  trx: Knex.Transaction,
  appId: string,
  wants: PermitWant[],
  taken: number[],
): Promise<{ user_id: UserId; permit_id: number | null }[]> {
  const [first] = wants
  if (!first) return []
  const usable = ofAddressed(taken.length === 0 ? first.usable : without(first.usable, taken), wants)
  const users = sortedUnique(wants.map(({ userId }) => userId))
  return selectRows(
    trx,
    `SELECT p.user_id, ${oldestUsablePermit(trx, usable)} AS permit_id
     FROM wx_message_push_status p WHERE p.app_id = ? AND p.user_id IN (${placeholders(users.length)})`,
    [...usable.bindings, appId, ...users],
  )
}

/** Of the permits of counter `p`'s user, those of the open_id that the message to that user is addressed to. */
function ofAddressed({ sql, bindings }: Condition, wants: PermitWant[]): Condition {
  const named = wants.flatMap(({ userId, openId }) => (openId === null ? [] : [userId, openId]))
  if (named.length === 0) return { sql, bindings }
  const openId = `CASE p.user_id ${'WHEN ? THEN ? '.repeat(named.length / 2)}END`
  return { sql: `${sql} AND f.open_id = ${openId}`, bindings: [...bindings, ...named] }
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
