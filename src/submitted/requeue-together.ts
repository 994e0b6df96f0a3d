import type { Knex } from 'knex'
import { isUsable, lockPermitsFor, PermitsMoved, spendOnMessages } from '../books/index.js'
import { needsPermit } from '../channel.js'
import { inRequest } from '../db/transaction.js'
import { ServiceError } from '../errors.js'
import { failpoint } from '../lib/failpoint.js'
import { groupBy } from '../lib/group-by.js'
import { addWaits, type Wait } from '../messages/retry-store.js'
import { takeRoom, tooMany } from './add-messages.js'
import { LONGEST_WAIT_MS } from './check.js'
import { type Receiver, receiversOf } from './receivers.js'
import * as store from './requeue-store.js'
import { noSuchMessage, stateOf } from './status.js'
import { findSubmitted, type SubmittedRow } from './status-store.js'
import { countOpenOf } from './store.js'

/** Why a dead letter stays dead; undefined: it is queued again. */
export type Refusal = ServiceError | undefined

interface Candidate extends Receiver {
  row: SubmittedRow
  notAfter: number
}

/**
 * Queues dead letters again, at most some hundred, in one transaction: each with its user's oldest permit that no message
 * before it takes, on the channel that it was submitted for, since the account may have moved and its texts are those of
 * a template there. `notAfter` replaces the time from which they are not sent any more. Returns for each why it stays as
 * it is: `not_found`, `message_not_dead`, `message_expired` where that time is over, `no_permit`, `too_many_messages`,
 * `user_stopped` or `user_not_bound`. Throws `invalid_request` for a time that is none.
 */
export async function requeueTogether(
  db: Knex,
  appId: string,
  { ids, notAfter }: { ids: number[]; notAfter: number | undefined },
  now: number,
): Promise<Map<number, Refusal>> {
  assertTime(notAfter, now)
  const refusals = new Map<number, Refusal>(ids.map((id) => [id, noSuchMessage(id)]))
  const candidates: Omit<Candidate, keyof Receiver>[] = []
  // The newest come first.
  for (const row of (await findSubmitted(db, appId, ids)).reverse()) {
    const until = notAfter ?? row.not_after
    const state = stateOf(row)
    if (state !== 'dead') refusals.set(row.id, notDead(state))
    else if (until <= now) refusals.set(row.id, expired())
    else candidates.push({ row, notAfter: until })
  }
  const receivers = await receiversFor(
    db,
    appId,
    candidates.map(({ row }) => row),
  )
  const ready: Candidate[] = []
  for (const candidate of candidates) {
    const receiver = receivers.get(candidate.row.id)
    if (receiver instanceof ServiceError) refusals.set(candidate.row.id, receiver)
    else if (receiver) ready.push({ ...candidate, ...receiver })
  }
  if (ready.length === 0) return refusals
  const stored = await inRequest(
    db,
    (trx) => reopenAll(trx, appId, ready, now),
    (error) => error instanceof PermitsMoved,
  )
  return new Map([...refusals, ...stored])
}

/** Whom each was for, if that still is this user's. */
async function receiversFor(
  db: Knex,
  appId: string,
  rows: SubmittedRow[],
): Promise<Map<number, Receiver | ServiceError>> {
  const found = new Map<number, Receiver | ServiceError>()
  for (const [channel, group] of groupBy(rows, (row) => row.channel)) {
    const named = group.map(({ user_id: userId, open_id: openId, template_id: templateId }) => ({
      named: openId === null ? { userId } : { openId },
      templateId,
    }))
    const receivers = await receiversOf(db, { appId, channel }, named)
    for (const [i, row] of group.entries()) {
      const receiver = receivers[i]
      const isAnothers = !(receiver instanceof ServiceError) && receiver?.userId !== row.user_id
      found.set(row.id, !receiver || isAnothers ? boundToAnother() : receiver)
    }
  }
  return found
}

/** Lock order: permits, counters, messages. */
async function reopenAll(
  trx: Knex.Transaction,
  appId: string,
  candidates: Candidate[],
  now: number,
): Promise<Map<number, Refusal>> {
  const permits = await permitsFor(trx, appId, candidates, now)
  const open = await countOpenOf(
    trx,
    appId,
    candidates.map(({ userId }) => userId),
  )
  const ids = candidates.map(({ row }) => row.id)
  const dead = await store.lockDead(trx, appId, ids)
  const refusals = new Map<number, Refusal>()
  const reopened: (Candidate & store.Reopened)[] = []
  for (const candidate of candidates) {
    const { id, channel } = candidate.row
    const permitId = permits.get(id) ?? null
    if (!dead.has(id)) refusals.set(id, notDead('changed meanwhile'))
    else if (permitId === null && needsPermit(channel)) refusals.set(id, noPermit())
    else if (!takeRoom(open, candidate.userId)) refusals.set(id, tooMany())
    else {
      refusals.set(id, undefined)
      reopened.push({ ...candidate, id, permitId })
    }
  }
  if (reopened.length === 0) return refusals
  await store.reopen(trx, reopened, now)
  const spending = reopened.filter(({ permitId }) => permitId !== null)
  await spendOnMessages(trx, appId, spending, now)
  const waits = reopened.map(
    ({ id, row }): Wait => ({ id, kind: 'api', submittedBy: row.submitted_by, nextAttemptAt: now }),
  )
  await addWaits(trx, appId, waits)
  failpoint('submit.in_transaction')
  return refusals
}

/** The permit of each that needs one, by its id. */
async function permitsFor(
  trx: Knex.Transaction,
  appId: string,
  candidates: Candidate[],
  now: number,
): Promise<Map<number, number | undefined>> {
  const needing = candidates.filter(({ row }) => needsPermit(row.channel))
  if (needing.length === 0) return new Map()
  const wants = needing.map(({ userId, openId, row: { channel, template_id: templateId } }) => ({
    userId,
    openId,
    usable: isUsable({ channel, templateId }, now),
  }))
  const permits = await lockPermitsFor(trx, appId, wants)
  return new Map(needing.map(({ row }, i) => [row.id, permits[i]]))
}

function assertTime(notAfter: number | undefined, now: number): void {
  if (notAfter === undefined || (notAfter > now && notAfter <= now + LONGEST_WAIT_MS)) return
  throw new ServiceError('invalid_request', 'not_after: must be within 7 days from now', {
    field: 'not_after',
  })
}

const expired = (): ServiceError =>
  new ServiceError(
    'message_expired',
    'not_after of this message is over: send a new not_after to queue it again',
  )

const noPermit = (): ServiceError =>
  new ServiceError(
    'no_permit',
    'The user has no permit that would be valid: queue it again when there is one',
  )

const boundToAnother = (): ServiceError =>
  new ServiceError('user_not_bound', 'The open_id of this message is bound to another user by now')

const notDead = (state: string): ServiceError =>
  new ServiceError('message_not_dead', `The message is ${state}: only a dead letter can be queued again`, {
    state,
  })
