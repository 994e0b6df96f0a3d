import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { isContention, isLockWait } from './errors.js'

const MAX_ATTEMPTS = 8
const BASE_DELAY_MS = 10
/** A lock wait was itself a pause, so only a short one is added. */
const MAX_LOCK_DELAY_STEP = 4
/**
 * A job outlasts a process that froze in its transaction; the server ends that session within 20 s: see
 * connect.ts.
 */
const LOCK_WAITS_OF_JOBS = 30
const LOCK_WAITS_OF_REQUESTS = 6

/**
 * Runs `work` in one transaction and retries it, a bounded number of times and with growing random pauses,
 * when another transaction was in the way. So `work` may run several times and must keep its effects inside
 * `trx`. `alsoRetry` names errors that a second look resolves, such as a duplicate that another process has
 * just committed. A lock is waited for `lockWaits` times, one second each.
 */
export function inTransaction<T>(
  db: Knex,
  work: (trx: Knex.Transaction) => Promise<T>,
  alsoRetry: (error: unknown) => boolean = () => false,
  lockWaits = LOCK_WAITS_OF_JOBS,
): Promise<T> {
  return withoutContention(() => db.transaction(work), alsoRetry, lockWaits)
}

/** The same for work that needs no transaction, such as a single statement. */
export async function withoutContention<T>(
  work: () => Promise<T>,
  alsoRetry: (error: unknown) => boolean = () => false,
  lockWaits = LOCK_WAITS_OF_JOBS,
): Promise<T> {
  let attempts = 0
  let waits = 0
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(isContention(error) || alsoRetry(error))) throw error
      const waited = isLockWait(error)
      if (waited ? ++waits >= lockWaits : ++attempts >= MAX_ATTEMPTS) throw error
      const step = waited ? Math.min(waits, MAX_LOCK_DELAY_STEP) : attempts
      // Immediate retries meet the same rival: measured, five of them still ended in an error.
      await sleep(Math.random() * BASE_DELAY_MS * 2 ** step)
    }
  }
}

/**
 * inTransaction for callers who wait for the answer on a connection that others need: some 7 s for locks at
 * most.
 */
export function inRequest<T>(
  db: Knex,
  work: (trx: Knex.Transaction) => Promise<T>,
  alsoRetry?: (error: unknown) => boolean,
): Promise<T> {
  return inTransaction(db, work, alsoRetry, LOCK_WAITS_OF_REQUESTS)
}
