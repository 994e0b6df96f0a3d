import type { Account } from '../account.js'
import type { DeliverDeps } from '../messages/delivery.js'
import { judgedUnsent } from '../messages/judged.js'
import { closeClaims } from '../messages/lease-store.js'
import { observeTakeover, takeOver } from '../messages/recovery.js'
import { settleBatch } from '../messages/settle.js'
import { addTallies, emptyTally, type Tally } from '../messages/tally.js'
import { withdrawWaiting } from '../messages/withdraw.js'
import { type DueWork, findOverdue } from './due-store.js'

/** Messages that are ended or put back at a time: some tenths of a second. The next look goes on. */
const LIMIT = 500

type TidyDeps = Pick<DeliverDeps, 'db' | 'now' | 'leaseMs' | 'observe'>

/**
 * What is done about submitted messages even while nothing may go out, in an outage or because the quota is spent: those
 * that a dead process left go back into the queue, and those that have not left by their not_after are expired. Returns
 * what was settled.
 */
export async function tidyUp(
  deps: TidyDeps,
  account: Account,
  { lapsed, overdue }: Pick<DueWork, 'lapsed' | 'overdue'>,
): Promise<Tally> {
  const putBack = lapsed ? await putBackLapsed(deps, account) : emptyTally()
  const expired = overdue ? await expireOverdue(deps, account) : emptyTally()
  return addTallies(putBack, expired)
}

async function putBackLapsed({ db, now, leaseMs, observe }: TidyDeps, account: Account): Promise<Tally> {
  const at = now()
  const takeover = await takeOver(db, account, {
    kind: 'api',
    limit: LIMIT,
    leaseMs,
    now: at,
    only: 'lapsed',
  })
  observeTakeover(observe, takeover)
  const { messages, tally } = takeover
  const [first] = messages
  if (!first) return tally
  const waiting = messages.map((message) =>
    judgedUnsent(message, { kind: 'retry', afterMs: 0, maybeSent: message.maybeSent }, 'its process ended'),
  )
  await settleBatch(db, waiting, at)
  await closeClaims(db, [first.lease.claimId])
  return tally
}

async function expireOverdue({ db, now, observe }: TidyDeps, { appId }: Account): Promise<Tally> {
  const at = now()
  const ids = await findOverdue(db, appId, at, LIMIT)
  const why = 'not sent: its sending window closed'
  const tally = await withdrawWaiting(db, appId, ids, { why, as: 'expired' }, at)
  observe.settled(tally)
  return tally
}
