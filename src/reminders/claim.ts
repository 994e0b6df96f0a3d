import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import type { Account } from '../account.js'
import {
  type Candidate,
  type ClaimedPermit,
  claimPermits,
  isUsable,
  type PermitSource,
} from '../books/index.js'
import type { Channel } from '../channel.js'
import { inTransaction } from '../db/transaction.js'
import { addDays } from '../lib/business-date.js'
import { MINUTE_MS } from '../lib/durations.js'
import { failpoint } from '../lib/failpoint.js'
import { type UserId, userIdBefore } from '../lib/user-id.js'
import type { HeldMessage } from '../messages/message.js'
import { findReminderIds, insertReminders, type NewReminder, type ReminderBatch } from '../messages/store.js'
import { isOwnKey } from '../messages/verdict.js'
import { windowEnd } from '../messages/window.js'
import * as limits from '../runs/limit.js'
import type { Range } from '../runs/ranges.js'
import * as cursors from '../runs/ranges.js'
import type { RunState } from '../runs/run.js'
import { findStreaks } from '../sign-ins/store.js'
import * as store from './store.js'
import { renderReminder } from './text.js'

export type Claim =
  /** Committed. Empty if none of the users read was due after all. */
  | { kind: 'claimed'; messages: HeldMessage[] }
  /** Other transactions hold all ranges that are left. */
  | { kind: 'busy' }
  | { kind: 'exhausted' }
  /** Someone is due, but the run has claimed as many as it may. */
  | { kind: 'limited' }
  /** Another process ended the run. */
  | { kind: 'ended'; state: RunState; reason: string | null }

export interface ClaimOptions {
  runId: number
  date: number
  leaseMs: number
  now: number
  /** The most users to read; the cursor moves past all of them. */
  read: number
  /** The most users to claim; if some are left out, the cursor stops before the first of them. */
  claim: number
}

/**
 * For each user to read, a claim examines this many counters: it finds enough even where three in four users are not
 * due. Examining one costs a few us.
 */
const EXAMINED_PER_READ = 4

/**
 * Claims the next due users of the run: one short transaction spends their oldest valid permits, counts their
 * counters down, and writes their messages. Lock order: run, range, permits, counters, messages.
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
    return { kind: 'claimed', messages: claimed }
  })
  failpoint('claim.committed')
  return claim
}

/**
 * Chooses whom to claim among the users read, and where the cursor goes: past the last user read, or before the first
 * one left out.
 */
function cut(
  read: store.FoundUser[],
  range: Range,
  limits: { read: number; claim: number },
): { candidates: Candidate[]; cursor: UserId; isCut: boolean } {
  const withPermit = candidatesOf(read)
  const candidates = withPermit.slice(0, limits.claim)
  const leftOut = withPermit[limits.claim]
  if (leftOut) return { candidates, cursor: userIdBefore(leftOut.userId), isCut: true }
  const last = read.length < limits.read ? undefined : read.at(-1)
  return { candidates, cursor: last?.user_id ?? range.hi, isCut: false }
}

/** The users who have a permit that can be spent now. */
export function candidatesOf(read: store.FoundUser[]): Candidate[] {
  return read.flatMap(({ user_id: userId, permit_id: permitId }) =>
    permitId === null ? [] : [{ userId, permitId }],
  )
}

/** Claims candidates for a run: updates their permits and counters, and inserts a leased message for each. */
export async function claimCandidates(
  trx: Knex.Transaction,
  account: Account,
  candidates: Candidate[],
  { runId, date, now, leaseMs }: Pick<ClaimOptions, 'runId' | 'date' | 'now' | 'leaseMs'>,
): Promise<{ claimed: HeldMessage[]; again: UserId | null }> {
  const { appId, channel, templateId, page } = account
  const leaseDeadline = performance.now() + leaseMs
  const msLeft = windowEnd(account, date) - now
  let messages: HeldMessage[] = []
  const writeReminders = async (claimed: ClaimedPermit[]): Promise<void> => {
    const users = claimed.map(({ userId }) => userId)
    const streaks = await findStreaks(trx, appId, users, addDays(date, -1))
    const drafts = claimed.map((permit) => ({
      permit,
      data: renderReminder(account.data, { date, streak: streaks.get(permit.userId) ?? 0 }),
      traceId: randomUUID(),
      state: firstState(channel, permit.source, msLeft),
    }))
    const batch = { appId, businessDate: date, runId, channel, templateId, page }
    await insertReminders(trx, batch, drafts, leaseMs, now)
    const ids = await findReminderIds(trx, appId, date, users)
    messages = drafts.map((draft) =>
      toHeldMessage(idOf(ids, draft.permit.userId), batch, draft, now, leaseDeadline),
    )
  }
  const { again } = await claimPermits(trx, { appId, date, candidates }, writeReminders, now)
  return { claimed: messages, again }
}

/** Built field by field: spreading objects costs several us per message. */
function toHeldMessage(
  id: number,
  batch: ReminderBatch,
  { permit, data, traceId, state }: NewReminder,
  now: number,
  leaseDeadline: number,
): HeldMessage {
  return {
    id,
    fence: 1,
    state,
    appId: batch.appId,
    userId: permit.userId,
    openId: permit.openId,
    channel: batch.channel,
    templateId: batch.templateId,
    page: batch.page,
    data,
    permitId: permit.id,
    formId: permit.formId,
    permitSource: permit.source,
    attempts: 0,
    maybeSent: false,
    businessDate: batch.businessDate,
    runId: batch.runId,
    traceId,
    createdAt: now,
    leaseDeadline,
  }
}

function idOf(ids: Map<UserId, number>, userId: UserId): number {
  const id = ids.get(userId)
  if (id === undefined) throw new Error(`The reminder of user ${userId} was inserted but is not there`)
  return id
}

/** With less of the window left, there may be no process in time to ask WeChat about what a dead one had in hand. */
const TIME_TO_ASK_MS = 30 * MINUTE_MS

/**
 * A claim is not a send: a message waits as `queued` until its request leaves. The claim counts as a send only if a
 * second request cannot become a second message and there is time to make one. That saves a write per message, which
 * would add a quarter to the CPU of a run (`npm run bench -- --only 'daily run, 0 ms'`: 188 against 232 us a
 * user).
 */
function firstState(channel: Channel, source: PermitSource, msLeft: number): HeldMessage['state'] {
  return isOwnKey(channel, source) && msLeft > TIME_TO_ASK_MS ? 'sending' : 'queued'
}
