import type { Knex } from 'knex'
import { handOver } from '../books/index.js'
import { inTransaction } from '../db/transaction.js'
import type { UserId } from '../lib/user-id.js'
import { findPersons, lockUserOf } from '../users/store.js'
import type { HeldMessage } from './message.js'

/** A message whose receiver belongs to another user by now. */
export interface HandedOver {
  message: HeldMessage
  to: UserId
}

/**
 * Those of these submitted messages whose receiver was given to another user while they waited, which may be for days:
 * what was written to one user is not for the other. A reminder waits for minutes, and says nothing of anybody.
 */
export async function findHandedOver(
  trx: Knex.Transaction,
  appId: string,
  messages: HeldMessage[],
): Promise<HandedOver[]> {
  const submitted = messages.filter(({ kind, openId }) => kind === 'api' && openId !== '')
  if (submitted.length === 0) return []
  const persons = await findPersons(trx, appId, [...new Set(submitted.map(({ openId }) => openId))])
  const users = new Map(persons.map(({ openId, userId }) => [openId, userId]))
  return submitted.flatMap((message) => {
    const to = users.get(message.openId) ?? null
    return to === null || to === message.userId ? [] : [{ message, to }]
  })
}

/**
 * Once such messages have given back their permits: these follow their giver, as those did that were unspent when the
 * person was handed over.
 */
export async function followPermits(
  db: Knex,
  appId: string,
  handedOver: HandedOver[],
  now: number,
): Promise<void> {
  for (const { message } of handedOver) {
    const { openId, userId: from, permitId } = message
    if (permitId === null) continue
    await inTransaction(db, async (trx) => {
      const to = await lockUserOf(trx, appId, openId)
      if (to !== from) await handOver(trx, { appId, openId, from, to }, now)
    })
  }
}
