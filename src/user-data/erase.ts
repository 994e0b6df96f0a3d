import type { Knex } from 'knex'
import { inRequest } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import type { Logger } from '../lib/logger.js'
import { type UserId, userIdToJson } from '../lib/user-id.js'
import { withdrawWaiting } from '../messages/withdraw.js'
import { recordWish } from '../users/stop-store.js'
import { deletePersons } from './erase-store.js'
import { createEraser, type Erased } from './eraser.js'
import { findMessageKeys, type MessageKey } from './message-store.js'
import { findPersonsOfUser } from './person-store.js'

export interface Erasure extends Erased {
  user_id: number | string
  /** Whether nothing personal is left. If false, a repeated call goes on. */
  complete: boolean
}

const CHUNK = 500
/** What comes in while the first pass is at work is found by the second one. */
const MAX_PASSES = 4
/** A message that a process has in hand is settled within seconds, or its lease of 15 s lapses and another takes over. */
const RETRY_AFTER_SECONDS = 20

/**
 * Erases what leads from a user to a person, and keeps every number that others are part of: permits, messages and
 * totals of runs are counted as before, and the audit finds the same. Unspent permits become expired. From the first
 * moment on nothing more goes out to the user.
 *
 * Works in short transactions and may be cut short or repeated at any point: each step finds what is left by what it
 * takes away last, so the open_ids go at the end. Throws `conflict` while a message to the user is under way.
 *
 * An upload that was being stored at this moment is found too, unless it commits after the last look: it then counts
 * as one that came afterwards, for a new user.
 */
export async function eraseUser(
  { db, appId, log }: { db: Knex; appId: string; log: Logger },
  { userId, traceId }: { userId: UserId; traceId: string },
  now: number,
): Promise<Erasure> {
  const eraser = createEraser(db, appId, userId, now)
  await inRequest(db, (trx) => recordWish(trx, { appId, userId }, now))
  await withdrawAll(db, appId, userId, now)
  let complete = false
  for (let pass = 0; pass < MAX_PASSES && !complete && eraser.mayGoOn(); pass++) {
    const found = await erasePass(db, appId, userId, eraser)
    complete = !found
  }
  const { erased } = eraser
  log.info({
    event: 'user.erased',
    trace_id: traceId,
    app_id: appId,
    user_id: userIdToJson(userId),
    ...erased,
    complete,
  })
  return { user_id: userIdToJson(userId), ...erased, complete }
}

/** Returns whether there was anything to erase. */
async function erasePass(
  db: Knex,
  appId: string,
  userId: UserId,
  eraser: ReturnType<typeof createEraser>,
): Promise<boolean> {
  const persons = await findPersonsOfUser(db, appId, userId, CHUNK)
  const openIds = persons.map(({ open_id }) => open_id)
  for (const openId of openIds) await eraser.events(openId)
  let found = await eraser.permitsOfUser()
  for (const openId of openIds) found = (await eraser.permitsOfGiver(openId)) || found
  for await (const keys of messageKeys(db, appId, userId)) {
    // One without a permit, of a claim that was not yet committed when we looked.
    if (keys.some(isOpen)) throw underWay()
    found = (await eraser.messages(keys.map(({ id }) => id))) || found
  }
  if (eraser.skipped > 0) throw underWay()
  if (openIds.length === 0 || !eraser.mayGoOn()) return found || openIds.length > 0
  eraser.erased.open_ids += await inRequest(db, (trx) => deletePersons(trx, appId, userId, openIds))
  return true
}

/**
 * Ends what waits in the queue or for another attempt. Throws `conflict` if a message to the user is in the hands of a
 * process.
 */
async function withdrawAll(db: Knex, appId: string, userId: UserId, now: number): Promise<void> {
  const waiting: number[] = []
  for await (const keys of messageKeys(db, appId, userId))
    waiting.push(...keys.filter(({ state }) => state === 'retry' || state === 'queued').map(({ id }) => id))
  await withdrawWaiting(db, appId, waiting, { why: 'not sent again: the user was erased' }, now)
  for await (const keys of messageKeys(db, appId, userId)) if (keys.some(isOpen)) throw underWay()
}

const isOpen = ({ state }: MessageKey): boolean =>
  state === 'queued' || state === 'sending' || state === 'retry'

async function* messageKeys(db: Knex, appId: string, userId: UserId): AsyncGenerator<MessageKey[]> {
  let before: number | undefined = Number.MAX_SAFE_INTEGER
  while (before !== undefined) {
    const keys = await findMessageKeys(db, appId, userId, { before, limit: CHUNK })
    if (keys.length > 0) yield keys
    before = keys.length < CHUNK ? undefined : keys.at(-1)?.id
  }
}

function underWay(): ServiceError {
  return new ServiceError(
    'conflict',
    'A message to this user is being sent at this moment, and no other one will be. Send the same again after Retry-After: it then erases the rest',
    undefined,
    RETRY_AFTER_SECONDS,
  )
}
