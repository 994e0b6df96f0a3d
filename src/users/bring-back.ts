import type { Knex } from 'knex'
import { restoreVoided } from '../books/index.js'
import type { Named } from './named.js'
import { liftAll } from './stop-store.js'
import { findVoidedOf } from './voided-store.js'

/**
 * Lets messages go out again to a user or a person, whatever stopped them, and gives back the subscriptions that the
 * refusal of a message voided: without them nothing could go out on `subscribe` before the next tap. No page of WeChat's
 * says whether such a credit is lost for good. If it is, the next message is refused, and the stop and the voiding are
 * recorded again. What the user turned off in the settings stays void until the user accepts. Returns how many were
 * given back. Lock order: persons, permits, counters.
 */
export async function bringBackNamed(trx: Knex.Transaction, named: Named, now: number): Promise<number> {
  await liftAll(trx, named, now)
  return restoreVoided(trx, named.appId, await findVoidedOf(trx, named), now)
}
