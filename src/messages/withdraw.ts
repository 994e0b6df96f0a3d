import type { Knex } from 'knex'
import { MAX_LIST } from '../db/sql.js'
import { inRequest } from '../db/transaction.js'
import { chunks } from '../lib/chunks.js'
import { groupBy } from '../lib/group-by.js'
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
import { addTallies, emptyTally, type Tally } from './tally.js'

/**
 * Ends messages that wait for another attempt, without making it: given back, or unknown where an earlier attempt may
 * have reached WeChat. Those that a process has taken over meanwhile are left to it. If this process dies on the way,
 * the next takeover finds the messages. `as` says what a submitted message is for its backend if it is not `cancelled`.
 */
export async function withdrawWaiting(
  db: Knex,
  appId: string,
  ids: number[],
  { why, as }: { why: string; as?: 'expired' },
  now: number,
): Promise<Tally> {
  let ended = emptyTally()
  for (const some of chunks(sortedUnique(ids), MAX_LIST)) {
    const messages = await inRequest(db, (trx) => takeWaiting(trx, appId, some, now))
    const judged = messages.map((message) => {
      const givenBack = { kind: 'give_back', ...(as ? { as } : {}) } as const
      return judgedUnsent(message, message.maybeSent ? { kind: 'unknown' } : givenBack, why)
    })
    if (judged.length === 0) continue
    ended = addTallies(ended, (await settleBatch(db, judged, now)).tally)
    await closeClaims(db, sortedUnique(messages.map(({ lease }) => lease.claimId)))
  }
  return ended
}

async function takeWaiting(
  trx: Knex.Transaction,
  appId: string,
  ids: number[],
  now: number,
): Promise<HeldMessage[]> {
  const messages: HeldMessage[] = []
  for (const [kind, waits] of groupBy(await takeWaits(trx, ids), (wait) => wait.kind)) {
    const taken = waits.map(({ id }) => id)
    const lease = await openClaim(trx, appId, LEASE_MS, now, kind)
    await makeOurs(trx, taken, lease, now)
    messages.push(...(await findHeld(trx, taken, lease)))
  }
  await addOutcomes(
    trx,
    messages.map(({ runId }) => waiting(runId, -1)),
    now,
  )
  return messages
}
