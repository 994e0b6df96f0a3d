import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { type Claimed, lockForClaim, needOf, spendForClaim } from '../books/index.js'
import { isDuplicate } from '../db/errors.js'
import { inTransaction } from '../db/transaction.js'
import { MINUTE_MS } from '../lib/durations.js'
import { failpoint } from '../lib/failpoint.js'
import { type UserId, userIdBefore } from '../lib/user-id.js'
import type { Card } from '../messages/card-store.js'
import { closeClaims, openClaim } from '../messages/lease-store.js'
import type { HeldMessage, Lease } from '../messages/message.js'
import { claimed as claimedOutcome } from '../messages/outcome.js'
import { reminderRenderer } from '../messages/text.js'
import { isOwnKey } from '../messages/verdict.js'
import { windowEnd } from '../messages/window.js'
import * as limits from '../runs/limit.js'
import { addOutcomes } from '../runs/outcomes.js'
import type { Range } from '../runs/ranges.js'
import * as cursors from '../runs/ranges.js'
import { type Reason, toReason } from '../runs/reason.js'
import type { RunState } from '../runs/run.js'
import * as store from './due-store.js'
import { countPassed } from './passed-store.js'

export type Claim =
  /** Committed. Empty if none of the users read was due after all. */
  | { kind: 'claimed'; messages: HeldMessage[] }
  /** Other transactions hold all ranges that are left. */
  | { kind: 'busy' }
  | { kind: 'exhausted' }
  /** Someone is due, but the run has claimed as many as it may. */
  | { kind: 'limited' }
  /** Another process ended the run. */
  | { kind: 'ended'; state: RunState; reason: Reason | null }

/** What the reminders of a claim have in common. */
export interface ClaimOf {
  runId: number
  date: number
  card: Card
  leaseMs: number
  now: number
}

export interface ClaimOptions extends ClaimOf {
  /** The most users to examine, due or not; the cursor moves past all of them. */
  examine: number
  /** The most users to claim; if some are left out, the cursor stops after the last one claimed. */
  claim: number
  /** Most of the users whom the claims before this one examined were not due. Default: false. */
  areFewDue?: boolean
}

/**
 * Claims the next due users of the run: one short transaction writes their messages, spends their oldest valid permits,
 * and counts their counters down; on a service account, which needs no permits, it moves `last_date` alone. Lock order:
 * run, range; then nothing is waited for, up to the outcomes.
 */
export async function claimDue(db: Knex, account: Account, options: ClaimOptions): Promise<Claim> {
  const { runId, date, now } = options
  const { appId } = account
  let besideMessages = false
  const work = async (trx: Knex.Transaction): Promise<Claim> => {
    const run = await limits.lockForClaim(trx, runId)
    if (run?.state !== 'running')
      return { kind: 'ended', state: run?.state ?? 'done', reason: run ? toReason(run) : null }
    const room = limits.roomOf(run)
    const free = await cursors.lockRange(trx, runId)
    if (!free) {
      if (!(await cursors.hasUnreadRanges(trx, runId))) return { kind: 'exhausted' }
      await cursors.rereadPassedOver(trx, runId)
      return { kind: 'busy' }
    }

    const range = await store.boundRange(trx, appId, free, options.examine)
    if (room === 0) {
      const [due] = await store.findDue(trx, appId, range, store.dayOf(account, date, now), 1)
      const cursor = due ? userIdBefore(due.user_id) : range.hi
      await cursors.moveCursor(trx, runId, range.range_no, { cursor, again: null, passed: undefined })
      return due ? { kind: 'limited' } : { kind: 'claimed', messages: [] }
    }
    const limit = Math.min(options.claim, room)
    const { claimed, last, again } = await claimRange(trx, account, range, limit, {
      ...options,
      areFewDue: options.areFewDue === true,
      besideMessages,
    })
    const read = { ...range, hi: last ?? range.hi }
    // Beside messages of the day, someone who has a permit may be passed over.
    const isKnown = !besideMessages && again === null
    const day = store.dayOf(account, date, now)
    const passed = isKnown ? await countPassed(trx, appId, read, day) : undefined
    await cursors.moveCursor(trx, runId, range.range_no, { cursor: read.hi, again, passed })
    if (run.claim_limit !== null) await limits.countClaimed(trx, runId, claimed.length)
    failpoint('claim.in_transaction')
    await addOutcomes(trx, [claimedOutcome(runId, claimed.length)], now)
    return { kind: 'claimed', messages: claimed }
  }
  const claim = await inTransaction(db, work, (error) => {
    besideMessages ||= isDuplicate(error)
    return isDuplicate(error)
  })
  failpoint('claim.committed')
  return claim
}

/**
 * Claims the first `limit` due users of a range. `last` is the last of them, if there may be more in the range.
 * `again` is the smallest user who was due and passed over, because another transaction holds the permit or the
 * counter, or has just changed it.
 */
export async function claimRange(
  trx: Knex.Transaction,
  account: Account,
  range: Range,
  limit: number,
  of: ClaimOf & { besideMessages: boolean; areFewDue: boolean },
): Promise<{ claimed: HeldMessage[]; last: UserId | undefined; again: UserId | null }> {
  const { appId, channel } = account
  const { date, now } = of
  const lease = await openClaim(trx, appId, of.leaseMs, now)
  const state = firstState(account, date, now)
  const need = needOf(account, now)
  const written = await store.insertDue(trx, appId, range, limit, {
    day: store.dayOf(account, date, now),
    claimId: lease.claimId,
    runId: of.runId,
    cardId: of.card.id,
    state,
    now,
    besideMessages: of.besideMessages,
    areFewDue: of.areFewDue,
  })
  if (written === 0) {
    await closeClaims(trx, [lease.claimId])
    return { claimed: [], last: undefined, again: null }
  }
  const last = written < limit ? undefined : await store.findLastOfClaim(trx, lease.claimId)
  const claimOfDay = { claimId: lease.claimId, date, need: need.kind }
  const had = await lockForClaim(trx, claimOfDay, now)
  const again = had.length === written ? null : await dropPassedOver(trx, lease, had)
  await spendForClaim(trx, claimOfDay, had.length, now)
  // Of a claim that counts as a send, the messages that may not: those on a prepay_id, which has three uses.
  const waiting = had.filter(({ source }) => state === 'sending' && !isOwnKey(channel, source))
  const waitingIds = new Set(waiting.map(({ messageId }) => messageId))
  await store.setQueued(trx, [...waitingIds])
  if (had.length === 0) await closeClaims(trx, [lease.claimId])
  const toHeld = heldMessages(account, of, lease)
  const claimed = had.map((one) => toHeld(one, waitingIds.has(one.messageId) ? 'queued' : state))
  return { claimed, last, again }
}

/** Takes back the messages whose permit or counter could not be had. Returns the smallest of their users. */
async function dropPassedOver(
  trx: Knex.Transaction,
  { claimId }: Lease,
  had: Claimed[],
): Promise<UserId | null> {
  const locked = new Set(had.map(({ messageId }) => messageId))
  const passedOver = (await store.findOfClaim(trx, claimId)).filter(({ id }) => !locked.has(id))
  await store.deleteUnclaimed(
    trx,
    passedOver.map(({ id }) => id),
  )
  return passedOver[0]?.user_id ?? null
}

/** Built field by field: spreading objects costs several us per message. */
function heldMessages(
  account: Account,
  { runId, date, card, now }: ClaimOf,
  lease: Lease,
): (claimed: Claimed, state: HeldMessage['state']) => HeldMessage {
  const render = reminderRenderer(card.data, date)
  return (claimed, state) => ({
    id: claimed.messageId,
    lease,
    state,
    kind: 'reminder',
    appId: account.appId,
    userId: claimed.userId,
    openId: claimed.openId,
    addressedTo: null,
    channel: card.channel,
    templateId: card.templateId,
    page: card.page,
    data: render(claimed.streak),
    permitId: claimed.permitId,
    formId: claimed.formId,
    permitSource: claimed.source,
    attempts: 0,
    maybeSent: false,
    businessDate: date,
    runId,
    spared: 0,
    submittedBy: '',
    notAfter: null,
    createdAt: now,
  })
}

/** With less of the window left, there may be no process in time to ask WeChat about what a dead one had in hand. */
const TIME_TO_ASK_MS = 30 * MINUTE_MS

/**
 * A claim is not a send: a message waits as `queued` until its request leaves. The claim counts as a send only if a
 * second request cannot become a second message and there is time to make one. That saves a write per message.
 */
function firstState(account: Account, date: number, now: number): HeldMessage['state'] {
  const hasTime = windowEnd(account, date) - now > TIME_TO_ASK_MS
  return isOwnKey(account.channel, 'form') && hasTime ? 'sending' : 'queued'
}
