import type { Knex } from 'knex'
import { closeClaims, makeOurs, openClaim } from './lease-store.js'
import { addWaits } from './retry-store.js'
import { findEarly } from './submitted-store.js'

/**
 * Lets those of these locked messages wait again whose `not_before` has not come, and returns them: whoever withdrew them
 * from the queue, to cancel them, died before it was done. They are as they were: queued, under a claim that is closed.
 */
export async function waitForTheirTime(
  trx: Knex.Transaction,
  appId: string,
  ids: number[],
  now: number,
): Promise<Set<number>> {
  const early = ids.length === 0 ? [] : await findEarly(trx, ids, now)
  const earlyIds = early.map(({ id }) => id)
  if (early.length === 0) return new Set()
  const lease = await openClaim(trx, appId, 0, now, 'api')
  await makeOurs(trx, earlyIds, lease, now)
  await closeClaims(trx, [lease.claimId])
  await addWaits(
    trx,
    appId,
    early.map(({ id, submitted_by, not_before }) => ({
      id,
      kind: 'api',
      submittedBy: submitted_by,
      nextAttemptAt: not_before,
    })),
  )
  return new Set(earlyIds)
}
