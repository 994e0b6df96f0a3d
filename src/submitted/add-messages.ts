import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { isUsable, lockPermitsFor, spendOnMessages } from '../books/index.js'
import { needsPermit } from '../channel.js'
import type { Statement } from '../db/together.js'
import { ServiceError } from '../errors.js'
import { chunks } from '../lib/chunks.js'
import type { UserId } from '../lib/user-id.js'
import { closingClaims, openClaim } from '../messages/lease-store.js'
import { addingWaits, type Wait } from '../messages/retry-store.js'
import type { Wanted } from './read-request.js'
import * as store from './store.js'

/**
 * Messages of a user that are not settled. Each holds a permit, so this also bounds what a backend that has gone wrong
 * can keep from the daily reminder.
 */
export const MAX_OPEN_PER_USER = 20
const CHUNK = 500

/** A message that a backend wants sent. `cardId`: of what the messages of its template have in common. */
export interface NewMessage extends Wanted {
  submittedBy: string
  cardId: number
}

/** A message that was added. */
export interface Added {
  item: NewMessage
  permitId: number | null
  isQueued: boolean
  id: number
}

/**
 * Adds messages of an account, each with the permit that it will spend: its user's oldest that is still valid when it may
 * go out. Returns what became of each, and statements that the caller has to run in the same transaction. Lock order:
 * permits, counters, then rows of this transaction alone. Throws PermitsMoved; `wait` is that of lockPermitsFor.
 */
export async function addMessages(
  trx: Knex.Transaction,
  account: Account,
  items: readonly NewMessage[],
  { wait, now }: { wait: boolean; now: number },
): Promise<{ outcomes: (Added | ServiceError)[]; rest: Statement[] }> {
  const permits = await permitsFor(trx, account, items, { wait, now })
  const open = await store.countOpenOf(
    trx,
    account.appId,
    items.map(({ userId }) => userId),
  )
  const outcomes = items.map((item, i): Added | ServiceError => {
    const permitId = permits[i] ?? null
    const isQueued = permitId !== null || !needsPermit(account.channel)
    if (isQueued && !takeRoom(open, item.userId)) return tooMany()
    return { item, permitId, isQueued, id: 0 }
  })
  const added = outcomes.filter((outcome): outcome is Added => !(outcome instanceof ServiceError))
  return { outcomes, rest: added.length === 0 ? [] : await insert(trx, account.appId, added, now) }
}

function permitsFor(
  trx: Knex.Transaction,
  { appId, channel }: Account,
  items: readonly NewMessage[],
  { wait, now }: { wait: boolean; now: number },
): Promise<(number | undefined)[]> {
  if (!needsPermit(channel)) return Promise.resolve([])
  const wants = items.map(({ userId, openId, templateId, notBefore }) => ({
    userId,
    openId,
    usable: isUsable({ channel, templateId }, Math.max(now, notBefore)),
  }))
  return lockPermitsFor(trx, appId, wants, { wait })
}

/** Counts one more open message of a user, if there is room for it. */
export function takeRoom(open: Map<UserId, number>, userId: UserId): boolean {
  const messages = open.get(userId) ?? 0
  if (messages >= MAX_OPEN_PER_USER) return false
  open.set(userId, messages + 1)
  return true
}

/** Sets the ids, and returns what is left to be written. */
async function insert(
  trx: Knex.Transaction,
  appId: string,
  added: Added[],
  now: number,
): Promise<Statement[]> {
  const rest: Statement[] = []
  const { claimId } = await openClaim(trx, appId, 0, now, 'api')
  for (const chunk of chunks(added, CHUNK)) {
    const rows = chunk.map(({ item: { userId, openId, cardId }, permitId, isQueued }) => ({
      userId,
      openId,
      permitId,
      isQueued,
      cardId,
    }))
    const ids = await store.insertMessages(trx, { appId, claimId }, rows, now)
    for (const [i, one] of chunk.entries()) one.id = ids[i] ?? 0
    const submitted = chunk.map(({ item, id, isQueued }) => ({
      ...item,
      id,
      state: isQueued ? ('open' as const) : ('no_permit' as const),
      data: JSON.stringify(item.data),
    }))
    rest.push(store.insertingSubmitted(appId, submitted, now))
  }
  rest.push(closingClaims([claimId]))
  const queued = added.filter(({ isQueued }) => isQueued)
  const spending = queued.filter(({ permitId }) => permitId !== null)
  await spendOnMessages(
    trx,
    appId,
    spending.map(({ id, item: { userId } }) => ({ id, userId })),
    now,
  )
  const waits = queued.map(
    ({ id, item: { submittedBy, notBefore } }): Wait => ({
      id,
      kind: 'api',
      submittedBy,
      nextAttemptAt: notBefore,
    }),
  )
  return [...rest, ...addingWaits(trx, appId, waits)]
}

export const tooMany = (): ServiceError =>
  new ServiceError(
    'too_many_messages',
    `The user has ${MAX_OPEN_PER_USER} messages that are not sent yet: wait until some are, or cancel some`,
  )
