import type { Knex } from 'knex'
import { ServiceError } from '../errors.js'
import { groupBy } from '../lib/group-by.js'
import type { JudgedMessage } from './judged.js'
import type { HeldMessage } from './message.js'
import * as store from './quota-store.js'

/**
 * How the count of wx_quota_use moves with messages. At every commit it is the requests that submitted messages have made
 * since WeChat told the quota, and those that are in hand for one: taken in the transaction that claims a message, given
 * back in the one that puts it down unsent, also where that is the takeover from a process that died. The row is locked
 * last of all.
 */

/** How far submitted messages may go. */
export interface Allowance {
  use: store.QuotaUse
  /** As many may be counted in all. */
  allowed: number
  /** Of these, the ones that were not when we looked. */
  left: number
}

/** Another process took what was left between our look and our claim: look again. */
export class QuotaMoved extends ServiceError {
  constructor() {
    super('overloaded', 'The quota is being used up at this moment; try again shortly')
  }
}

/** Counts the messages of a claim. Throws QuotaMoved if there is no room for all of them. */
export async function takeCalls(
  trx: Knex.Transaction,
  { use, allowed }: Allowance,
  calls: number,
): Promise<void> {
  if (calls > 0 && !(await store.takeOf(trx, use, calls, allowed))) throw new QuotaMoved()
}

/** Of messages that were judged, no longer counts those whose request did not leave. */
export async function giveBackUnsent(trx: Knex.Transaction, judged: JudgedMessage[]): Promise<void> {
  const unsent = judged.filter(({ attempted }) => !attempted)
  await move(
    trx,
    unsent.map(({ message }) => message),
    store.giveBackTo,
  )
}

/** Counts the next requests of messages that go on with another permit. They are owed: nobody is asked. */
export function takeNext(trx: Knex.Transaction, messages: HeldMessage[]): Promise<void> {
  return move(trx, messages, store.addTo)
}

async function move(
  trx: Knex.Transaction,
  messages: HeldMessage[],
  by: (trx: Knex.Transaction, use: store.QuotaUse, calls: number) => Promise<void>,
): Promise<void> {
  for (const [use, counted] of groupBy(messages, ({ lease }) => lease.quota))
    if (use) await by(trx, use, counted.length)
}
