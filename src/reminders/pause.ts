import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { ServiceError } from '../errors.js'
import { toIsoDate } from '../lib/business-date.js'
import { closeRun, findRun } from '../runs/occurrences.js'
import type { Reason } from '../runs/reason.js'
import { REMIND } from './run.js'

/**
 * Pauses the run of a day, in every process that works on it: nobody claims another user, and what is in hand is
 * finished, retries included. The schedule does not go on with it; runReminders by hand does. `by` is the operator's
 * name, as it is shown to others. Throws `not_found` without a run, `conflict` if it is not running.
 */
export async function pauseRun(
  db: Knex,
  { appId }: Pick<Account, 'appId'>,
  date: number,
  by: string,
  now: number,
): Promise<void> {
  const run = await findRun(db, { job: REMIND, appId, slot: date })
  const day = toIsoDate(date)
  if (!run) throw new ServiceError('not_found', `There is no run of ${day} to pause`)
  if (await closeRun(db, run.id, { state: 'paused', reason: pausedBy(by) }, now)) return
  throw new ServiceError('conflict', `The run of ${day} is not running, so there is nothing to pause`)
}

function pausedBy(by: string): Reason {
  return {
    en: `paused by ${by}; run remind again to go on`,
    zh: `由 ${by} 暂停，再次执行 remind 可继续`,
    cause: 'operator',
  }
}
