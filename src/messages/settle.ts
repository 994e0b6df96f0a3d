import type { Knex } from 'knex'
import { voidRefused } from '../books/index.js'
import { inTransaction } from '../db/transaction.js'
import { failpoint } from '../lib/failpoint.js'
import { addOutcomes } from '../runs/outcomes.js'
import * as totals from '../runs/totals.js'
import { recordStop } from '../users/stop-store.js'
import { CODE } from '../wechat/codes.js'
import { giveBackMessages } from './give-back.js'
import type { JudgedMessage } from './judged.js'
import type { HeldMessage } from './message.js'
import { takeNextPermits } from './next-permit.js'
import { outcomesOf } from './outcome.js'
import { giveBackUnsent } from './quota-count.js'
import { type Settlement, writeVerdicts } from './settle-store.js'
import {
  endSubmitted,
  lockSubmitted,
  recordAttempts,
  type SubmittedEndOf,
  spareAttempts,
} from './submitted-store.js'
import { addTallies, emptyTally, type Tally } from './tally.js'
import type { Verdict } from './verdict.js'

/** How each verdict is written down: on the message alone, by giving back, or with the next permit. */
const WRITTEN_AS: Record<Verdict['kind'], 'settled' | 'given_back' | 'next_permit'> = {
  delivered: 'settled',
  failed: 'settled',
  unknown: 'settled',
  retry: 'settled',
  give_back: 'given_back',
  next_permit: 'next_permit',
}

/**
 * Writes down a batch of verdicts of one account. Returns for each message what follows from its verdict: the same
 * message with the user's next permit, already reserved, or nothing.
 */
export async function settleBatch(
  db: Knex,
  judged: JudgedMessage[],
  now: number,
): Promise<{ next: (HeldMessage | undefined)[]; tally: Tally }> {
  const ordered = [...judged].sort((a, b) => a.message.id - b.message.id)
  const writtenAs = (way: 'settled' | 'given_back' | 'next_permit') =>
    ordered.filter(({ verdict }) => WRITTEN_AS[verdict.kind] === way)
  const settled = await settle(db, writtenAs('settled'), now)
  const givenBack = await giveBackMessages(db, writtenAs('given_back'), now)
  const { next, without, tally } = await takeNextPermits(db, writtenAs('next_permit'), now)
  const ended = await settle(db, without, now)
  return {
    next: judged.map(({ message }) => next.get(message.id)),
    tally: addTallies(settled, givenBack, tally, ended),
  }
}

async function settle(db: Knex, judged: JudgedMessage[], now: number): Promise<Tally> {
  const tally = emptyTally()
  if (judged.length === 0) return tally
  const settlements = judged.map((one) => toSettlement(one, now))
  const counts = await inTransaction(db, async (trx) => {
    const ended = await totals.lockForSettling(
      trx,
      judged.map(({ message }) => message.runId),
    )
    const submitted = await lockSubmitted(trx, judged)
    const counts = await writeVerdicts(trx, settlements, now)
    await recordAttempts(trx, submitted, now)
    await spareAttempts(trx, submitted.filter(isSpared).map(idOf))
    await endSubmitted(trx, submitted.flatMap(endOf), now)
    failpoint('settle.in_transaction')
    for (const { runId, state, messages } of counts) {
      if (runId === null || !ended.has(runId) || state === 'retry') continue
      await totals.moveTotals(trx, runId, { from: 'retrying', to: state, messages }, now)
    }
    await recordStops(trx, judged, now)
    await endRefusedTemplates(trx, judged, now)
    await addOutcomes(trx, counts.flatMap(outcomesOf), now)
    await giveBackUnsent(trx, submitted)
    return counts
  })
  failpoint('settle.committed')
  tally.lost = judged.length
  for (const { state, messages } of counts) {
    tally[state] += messages
    tally.lost -= messages
  }
  return tally
}

const isSpared = ({ verdict }: JudgedMessage): boolean => verdict.kind === 'retry' && verdict.spared === true
const idOf = ({ message }: JudgedMessage): number => message.id

function endOf({ message: { id }, verdict: { kind } }: JudgedMessage): SubmittedEndOf[] {
  return kind === 'delivered' || kind === 'failed' || kind === 'unknown' ? [{ id, state: kind }] : []
}

async function recordStops(trx: Knex.Transaction, judged: JudgedMessage[], now: number): Promise<void> {
  for (const { message, verdict, answer } of judged) {
    if (!('stops' in verdict) || !verdict.stops || answer.errcode === null) continue
    const stop = { kind: verdict.stops, errcode: answer.errcode, messageId: message.id }
    if (!isOfTemplate({ message, answer })) await recordStop(trx, message, stop, now)
    else if (message.businessDate !== null)
      await recordStop(trx, message, { ...stop, templateId: message.templateId }, now)
  }
}

/**
 * A refusal of one template: WeChat has no credit of that person for it any more. As a stop it is recorded only of
 * reminders, whose template there is one of; what else is refused ends with its permits.
 */
function isOfTemplate({ message, answer }: Pick<JudgedMessage, 'message' | 'answer'>): boolean {
  return message.channel === 'subscribe' && answer.errcode === CODE.refusedByUser
}

async function endRefusedTemplates(
  trx: Knex.Transaction,
  judged: JudgedMessage[],
  now: number,
): Promise<void> {
  const refused = judged.filter(isOfTemplate).map(({ message }) => message.id)
  if (refused.length > 0) await voidRefused(trx, refused, CODE.refusedByUser, now)
}

function toSettlement({ message, verdict, answer, attempted }: JudgedMessage, now: number): Settlement {
  const retry = verdict.kind === 'retry' ? verdict : undefined
  const unknown = verdict.kind === 'unknown'
  return {
    id: message.id,
    kind: message.kind,
    submittedBy: message.submittedBy,
    appId: message.appId,
    claimId: message.lease.claimId,
    runId: message.runId,
    templateId: message.templateId,
    state: verdict.kind as Settlement['state'],
    maybeSent: retry?.maybeSent ?? (unknown || message.maybeSent),
    attempts: attempted ? 1 : 0,
    nextAttemptAt: retry ? now + retry.afterMs : null,
    ...answer,
  }
}
