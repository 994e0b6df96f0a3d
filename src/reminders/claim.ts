import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { isUsable, type PermitSource } from '../books/usable.js'
import type { Channel } from '../channel.js'
import { inTransaction } from '../db/transaction.js'
import { addDays } from '../lib/business-date.js'
import { failpoint } from '../lib/failpoint.js'
import { compareUserIds, type UserId, userIdBefore } from '../lib/user-id.js'
import type { Delivery } from '../messages/message.js'
import { findReminderIds, insertReminders } from '../messages/store.js'
import { isOwnKey } from '../messages/verdict.js'
import { windowEnd } from '../messages/window.js'
import { VALIDITY_MARGIN_MS } from '../permits/accept.js'
import * as limits from '../runs/limit.js'
import type { RunState } from '../runs/occurrences.js'
import * as cursors from '../runs/ranges.js'
import { findStreaks } from '../sign-ins/store.js'
import * as store from './store.js'
import { renderReminder } from './text.js'

export type Claim =
  /** Committed; possibly none, when all that were read were not due after all. */
  | { kind: 'claimed'; deliveries: Delivery[] }
  /** All ranges that are left are in other hands just now. */
  | { kind: 'busy' }
  | { kind: 'exhausted' }
  /** Somebody is due, and the run has claimed as many as it may. */
  | { kind: 'limited' }
  /** Another process ended the run. */
  | { kind: 'ended'; state: RunState; reason: string | null }

export interface ClaimOptions {
  runId: number
  date: number
  leaseMs: number
  now: number
  /** Users to read at most; the cursor moves past all of them. */
  read: number
  /** Users to claim at most; the cursor stays behind the first one left out. */
  claim: number
}

/** Where three in four users are not due, a claim still finds as many as it wants; each look at one costs a few us. */
const EXAMINED_PER_READ = 4

/**
 * Takes the next due users of the run for sending: in one short transaction their oldest valid permits are spent, their
 * counters counted down, and their messages written. Lock order: run, range, permits, counters, messages.
 */
export async function claimDue(db: Knex, account: Account, options: ClaimOptions): Promise<Claim> {
  const { runId, date, now } = options
  const { appId } = account
  const day = { date, usable: isUsable(account, now) }
  const claim = await inTransaction(db, async (trx): Promise<Claim> => {
    const run = await limits.lockForClaim(trx, runId)
    if (run?.state !== 'running')
      return { kind: 'ended', state: run?.state ?? 'done', reason: run?.reason ?? null }
    const room = limits.roomOf(run)
    const free = await cursors.lockRange(trx, runId)
    if (!free) {
      if (!(await cursors.hasUnreadRanges(trx, runId))) return { kind: 'exhausted' }
      await cursors.rereadPassedOver(trx, runId)
      return { kind: 'busy' }
    }

    const range = await store.boundRange(trx, appId, free, options.read * EXAMINED_PER_READ)
    const read = await store.findCandidates(trx, appId, range, day, options.read)
    const { candidates, cursor, isCut } = cut(read, range, {
      read: options.read,
      claim: Math.min(options.claim, room),
    })
    const { claimed, again } = await claimCandidates(trx, account, candidates, options)
    await cursors.moveCursor(trx, runId, range.range_no, cursor, again)
    if (room === 0 && isCut) return { kind: 'limited' }
    if (run.claim_limit !== null) await limits.countClaimed(trx, runId, claimed.length)
    failpoint('claim.in_transaction')
    return { kind: 'claimed', deliveries: claimed }
  })
  failpoint('claim.committed')
  return claim
}

type WithPermit = { user_id: UserId; permit_id: number }

/** Those to claim of what was read, and where the cursor goes: past the last user read, or before the first left out. */
function cut(
  read: store.Candidate[],
  range: cursors.Range,
  limits: { read: number; claim: number },
): { candidates: WithPermit[]; cursor: UserId; isCut: boolean } {
  const withPermit = read.filter((candidate): candidate is WithPermit => candidate.permit_id !== null)
  const candidates = withPermit.slice(0, limits.claim)
  const leftOut = withPermit[limits.claim]
  if (leftOut) return { candidates, cursor: userIdBefore(leftOut.user_id), isCut: true }
  const last = read.length < limits.read ? undefined : read.at(-1)
  return { candidates, cursor: last?.user_id ?? range.hi, isCut: false }
}

export async function claimCandidates(
  trx: Knex,
  account: Account,
  candidates: WithPermit[],
  { runId, date, now, leaseMs }: ClaimOptions,
): Promise<{ claimed: Delivery[]; again: UserId | null }> {
  if (candidates.length === 0) return { claimed: [], again: null }
  const { appId } = account
  const leaseDeadline = performance.now() + leaseMs
  const locked = await store.lockCandidatePermits(
    trx,
    sorted(candidates.map((candidate) => candidate.permit_id)),
    now + VALIDITY_MARGIN_MS,
  )
  // A hand-over since the look has given a permit to somebody of whom we know nothing: signed in, or claimed already.
  const userOf = new Map(candidates.map(({ permit_id, user_id }) => [permit_id, user_id]))
  const permits = locked.filter((permit) => permit.user_id === userOf.get(permit.id))
  const lastDates =
    permits.length === 0
      ? new Map<UserId, number>()
      : await store.lockDueCounters(trx, appId, sorted(permits.map((permit) => permit.user_id)), date)
  // Read again: somebody held the permit or the counter, or it was changed since the look.
  const again = candidates.find(({ user_id }) => !lastDates.has(user_id))?.user_id ?? null
  const won = permits
    .filter((permit) => lastDates.has(permit.user_id))
    .sort((a, b) => compareUserIds(a.user_id, b.user_id))
  if (won.length === 0) return { claimed: [], again }
  const users = won.map((permit) => permit.user_id)

  const { channel, templateId, page } = account
  const msLeft = windowEnd(account, date) - now
  const streaks = await findStreaks(trx, appId, users, addDays(date, -1))
  const drafts = won.map((permit) => ({
    permit,
    data: renderReminder(account.data, { date, streak: streaks.get(permit.user_id) ?? 0 }),
    traceId: randomUUID(),
    state: firstState(channel, permit.source, msLeft),
  }))
  await store.countClaimed(trx, appId, users, date, now)
  await insertReminders(
    trx,
    drafts.map(({ permit, data, traceId, state }) => ({
      appId,
      userId: permit.user_id,
      openId: permit.open_id,
      businessDate: date,
      runId,
      permitId: permit.id,
      channel,
      templateId,
      page,
      data: JSON.stringify(data),
      lastDateBefore: lastDates.get(permit.user_id) ?? 0,
      traceId,
      state,
    })),
    leaseMs,
    now,
  )
  await store.spendPermits(trx, appId, sorted(won.map((permit) => permit.id)), date, now)

  const ids = await findReminderIds(trx, appId, date, users)
  const claimed = drafts.map(({ permit, data, traceId, state }): Delivery => {
    const id = ids.get(permit.user_id)
    if (id === undefined)
      throw new Error(`The reminder of user ${permit.user_id} was inserted and is not there`)
    return {
      id,
      fence: 1,
      state,
      appId,
      userId: permit.user_id,
      openId: permit.open_id,
      channel,
      templateId,
      page,
      data,
      permitId: permit.id,
      formId: permit.form_id,
      permitSource: permit.source,
      attempts: 0,
      maybeSent: false,
      businessDate: date,
      runId,
      traceId,
      createdAt: now,
      leaseDeadline,
    }
  })
  return { claimed, again }
}

/** With less left of the window, nobody may be there in time to ask WeChat about what a dead process had in hand. */
const TIME_TO_ASK_MS = 30 * 60_000

/**
 * A claim is not a send: a message waits as `queued` until its request leaves. Only where a second request cannot be a
 * second message, and there is time to make one, the claim may count as a send: that saves a write for each message,
 * a quarter of the CPU of a run (`npm run bench -- daily-run`, 20,000 users, 0 ms: 188 against 232 us a user).
 */
function firstState(channel: Channel, source: PermitSource, msLeft: number): Delivery['state'] {
  return isOwnKey(channel, source) && msLeft > TIME_TO_ASK_MS ? 'sending' : 'queued'
}

function sorted<Id extends UserId>(ids: Id[]): Id[] {
  return [...ids].sort(compareUserIds)
}
