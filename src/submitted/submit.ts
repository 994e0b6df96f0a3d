import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { isUsable, lockPermitsFor, PermitsMoved, spendOnMessages } from '../books/index.js'
import { needsPermit } from '../channel.js'
import { isDuplicate } from '../db/errors.js'
import { inRequest } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import type { Items } from '../http/batch.js'
import { errorBody } from '../http/errors.js'
import { chunks } from '../lib/chunks.js'
import { failpoint } from '../lib/failpoint.js'
import type { UserId } from '../lib/user-id.js'
import { type Card, findOrAddCard } from '../messages/card-store.js'
import { closeClaims, openClaim } from '../messages/lease-store.js'
import { addWaits } from '../messages/retry-store.js'
import type { CheckedItem } from './check.js'
import type { Receiver } from './receivers.js'
import type { Accepted, Refused, Results } from './schemas.js'
import * as store from './store.js'

/** A message that can be stored. */
export interface Wanted extends CheckedItem, Receiver {}

/** What a request asks for, by its Idempotency-Key. */
export interface Submission {
  submittedBy: string
  keyHash: string
  bodyHash: string
  /** Reads the messages. Not asked for a request that was stored before. */
  readItems(): Promise<Items<Wanted>>
  isBatch: boolean
}

/**
 * Messages of a user that are not settled. Each holds a permit, so this also bounds what a backend that has gone wrong
 * can keep from the daily reminder.
 */
export const MAX_OPEN_PER_USER = 20
const CHUNK = 500

/**
 * Stores messages with the permits that they will spend, and the answer for the same request sent again, in one
 * transaction. A permit is reserved here and not when the message is sent: so the answer `queued` is a promise that
 * nothing else takes back, and `no_permit` is known at once. It is the user's oldest that is still valid when the message
 * may go out.
 * Throws `idempotency_conflict`, and for a single message what is wrong with it.
 */
export async function submit(
  db: Knex,
  account: Account,
  submission: Submission,
  now: number,
): Promise<Accepted | Results> {
  const earlier = await findEarlier(db, account, submission)
  if (earlier) return earlier
  const items = await submission.readItems()
  const cards = await cardsOf(db, account, items.good, now)
  try {
    const answer = await inRequest(
      db,
      (trx) => storeAll(trx, account, submission, { items, cards }, now),
      (error) => error instanceof PermitsMoved,
    )
    failpoint('submit.committed')
    return answer
  } catch (error) {
    // The same request was stored meanwhile, by another process or over another connection.
    const stored = isDuplicate(error) ? await findEarlier(db, account, submission) : undefined
    if (!stored) throw error
    return stored
  }
}

/** The answer that this request got before. Throws `idempotency_conflict` if its key was another request's. */
async function findEarlier(
  db: Knex,
  { appId }: Pick<Account, 'appId'>,
  { submittedBy, keyHash, bodyHash }: Pick<Submission, 'submittedBy' | 'keyHash' | 'bodyHash'>,
): Promise<Accepted | Results | undefined> {
  const earlier = await store.findSubmission(db, { appId, submittedBy, keyHash })
  if (!earlier) return undefined
  if (earlier.body_hash !== bodyHash)
    throw new ServiceError(
      'idempotency_conflict',
      'This Idempotency-Key was sent before with another body: give each request a key of its own',
    )
  return JSON.parse(earlier.answer) as Accepted | Results
}

/**
 * What the messages of a template have in common. Their texts are their own, in wx_submitted_message: as rows of wx_card
 * they would be as many as the messages, and outlive them.
 */
async function cardsOf(
  db: Knex,
  { appId, channel }: Account,
  items: readonly Wanted[],
  now: number,
): Promise<Map<string, Card>> {
  const cards = new Map<string, Card>()
  for (const { templateId } of items) {
    if (cards.has(templateId)) continue
    cards.set(templateId, await findOrAddCard(db, { appId, channel, templateId, page: '', data: {} }, now))
  }
  return cards
}

/** Lock order: the key, permits, counters, then rows of this transaction alone. */
async function storeAll(
  trx: Knex.Transaction,
  account: Account,
  submission: Submission,
  { items: { good: items, merge }, cards }: { items: Items<Wanted>; cards: Map<string, Card> },
  now: number,
): Promise<Accepted | Results> {
  const { appId } = account
  const id = await store.insertSubmission(trx, { ...submission, appId }, now)
  const permits = await permitsFor(trx, account, items, now)
  const open = await store.countOpenOf(
    trx,
    appId,
    items.map(({ userId }) => userId),
  )
  const outcomes = items.map((item, i): Ready | ServiceError => {
    const permitId = permits[i] ?? null
    const isQueued = permitId !== null || !needsPermit(account.channel)
    if (isQueued && !takeRoom(open, item.userId)) return tooMany()
    return { item, permitId, isQueued, id: 0 }
  })
  const ready = outcomes.filter((outcome): outcome is Ready => !(outcome instanceof ServiceError))
  await insert(trx, account, submission.submittedBy, ready, cards, now)
  const answer = submission.isBatch ? { results: merge(outcomes.map(told), refused) } : answerAlone(outcomes)
  await store.writeAnswer(trx, id, JSON.stringify(answer))
  failpoint('submit.in_transaction')
  return answer
}

/** Throws what is wrong with a message that was sent alone. */
function answerAlone([alone]: (Ready | ServiceError)[]): Accepted {
  if (!alone) throw new Error('a request without a message was stored')
  if (alone instanceof ServiceError) throw alone
  return accepted(alone)
}

/** A message as it is about to be stored; its id is set then. */
interface Ready {
  item: Wanted
  permitId: number | null
  isQueued: boolean
  id: number
}

function permitsFor(
  trx: Knex.Transaction,
  { appId, channel }: Account,
  items: readonly Wanted[],
  now: number,
): Promise<(number | undefined)[]> {
  if (!needsPermit(channel)) return Promise.resolve([])
  const wants = items.map(({ userId, openId, templateId, notBefore }) => ({
    userId,
    openId,
    usable: isUsable({ channel, templateId }, Math.max(now, notBefore)),
  }))
  return lockPermitsFor(trx, appId, wants)
}

function takeRoom(open: Map<UserId, number>, userId: UserId): boolean {
  const messages = open.get(userId) ?? 0
  if (messages >= MAX_OPEN_PER_USER) return false
  open.set(userId, messages + 1)
  return true
}

async function insert(
  trx: Knex.Transaction,
  { appId }: Account,
  submittedBy: string,
  ready: Ready[],
  cards: Map<string, Card>,
  now: number,
): Promise<void> {
  if (ready.length === 0) return
  const { claimId } = await openClaim(trx, appId, 0, now, 'api')
  for (const chunk of chunks(ready, CHUNK)) {
    const messages = chunk.map(({ item, permitId, isQueued }) => {
      const { userId, openId, templateId } = item
      return { userId, openId, permitId, isQueued, cardId: cards.get(templateId)?.id ?? 0 }
    })
    const ids = await store.insertMessages(trx, { appId, claimId }, messages, now)
    for (const [i, one] of chunk.entries()) one.id = ids[i] ?? 0
    const rows = chunk.map(({ item, id, isQueued }) => ({
      ...item,
      id,
      state: isQueued ? ('open' as const) : ('no_permit' as const),
      data: JSON.stringify(item.data),
    }))
    await store.insertSubmitted(trx, { appId, submittedBy }, rows, now)
  }
  await closeClaims(trx, [claimId])
  const queued = ready.filter(({ isQueued }) => isQueued)
  const spending = queued.filter(({ permitId }) => permitId !== null)
  await spendOnMessages(
    trx,
    appId,
    spending.map(({ id, item: { userId } }) => ({ id, userId })),
    now,
  )
  const waits = queued.map(({ id, item }) => ({
    id,
    kind: 'api' as const,
    submittedBy,
    nextAttemptAt: item.notBefore,
  }))
  for (const chunk of chunks(waits, CHUNK)) await addWaits(trx, appId, chunk)
}

const accepted = ({ id, isQueued }: Ready): Accepted => ({ id, state: isQueued ? 'queued' : 'no_permit' })

const refused = (error: ServiceError): Accepted | Refused => errorBody(error)

const told = (outcome: Ready | ServiceError): Accepted | Refused =>
  outcome instanceof ServiceError ? refused(outcome) : accepted(outcome)

const tooMany = (): ServiceError =>
  new ServiceError(
    'too_many_messages',
    `The user has ${MAX_OPEN_PER_USER} messages that are not sent yet: wait until some are, or cancel some`,
  )
