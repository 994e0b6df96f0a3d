import type { Knex } from 'knex'
import { MAX_LIST } from '../db/sql.js'
import { inRequest } from '../db/transaction.js'
import { chunks } from '../lib/chunks.js'
import { sortedUnique } from '../lib/sorted.js'
import { addOutcomes } from '../runs/outcomes.js'
import { findHeld } from './held-store.js'
import { judgedUnsent } from './judged.js'
import { closeClaims, makeOurs, openClaim } from './lease-store.js'
import { LEASE_MS } from './leases.js'
import type { HeldMessage } from './message.js'
import { waiting } from './outcome.js'
import { takeWaits } from './retry-store.js'
import { settleBatch } from './settle.js'

/**
 * Ends messages that wait for another attempt, without making it: given back, or unknown where an earlier attempt may
 * have reached WeChat. Those that a process has taken over meanwhile are left to it. If this process dies on the way,
 * the next takeover finds the messages. Returns how many it ended.
 */
export async function withdrawWaiting(
  db: Knex,
  appId: string,
  ids: number[],
  why: string,
  now: number,
): Promise<number> {
  let ended = 0
  for (const some of chunks(sortedUnique(ids), MAX_LIST)) {
    const messages = await inRequest(db, (trx) => takeWaiting(trx, appId, some, now))
    const [first] = messages
    if (!first) continue
    const judged = messages.map((message) =>
      judgedUnsent(message, { kind: message.maybeSent ? 'unknown' : 'give_back' }, why),
    )
    await settleBatch(db, judged, now)
    await closeClaims(db, [first.lease.claimId])
    ended += messages.length
  }
  return ended
}

async function takeWaiting(
  trx: Knex.Transaction,
  appId: string,
  ids: number[],
  now: number,
): Promise<HeldMessage[]> {
  const taken = await takeWaits(trx, ids)
  if (taken.length === 0) return []
  const lease = await openClaim(trx, appId, LEASE_MS, now)
  await makeOurs(trx, taken, lease, now)
  const messages = await findHeld(trx, taken, lease)
  await addOutcomes(
    trx,
    messages.map(({ runId }) => waiting(runId, -1)),
    now,
  )
  return messages
}
