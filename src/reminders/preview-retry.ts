import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { toIsoDate } from '../lib/business-date.js'
import { findRetryable } from './retry.js'
import { matches, type RetryFilter } from './retry-filter.js'
import { entryOf, errorsOf } from './run-errors.js'
import type { RunError } from './status-schemas.js'
import { findOutcomes } from './status-store.js'

export interface RetryPreview {
  date: string
  run_id: number
  /** Failed reminders that the filter means. */
  failed: number
  /** Of these, those with a code that stopped the person. They stay failed unless the person has come back since. */
  stopped: number
  /** The others: so many at most are retried, less those who have signed in or have no permit left. */
  at_most: number
  errors: RunError[]
}

/**
 * What retryFailed would do, from the counts that processes keep: it reads no messages, so it answers at once, however
 * many have failed. Throws what retryFailed throws.
 */
export async function previewRetry(
  db: Knex,
  account: Account,
  filter: RetryFilter,
  now: number,
): Promise<RetryPreview> {
  const run = await findRetryable(db, account, filter, now)
  const isMeant = matches(filter)
  const outcomes = await findOutcomes(db, [run.id])
  const errors = errorsOf(outcomes).filter((error) => error.outcome === 'failed' && isMeant(error))
  const sum = (counted: RunError[]) => counted.reduce((total, { count }) => total + count, 0)
  const failed = sum(errors)
  const stopped = sum(
    errors.filter(({ errcode }) => errcode !== null && entryOf(errcode).stops !== undefined),
  )
  return { date: toIsoDate(run.slot), run_id: run.id, failed, stopped, at_most: failed - stopped, errors }
}
