import type { Knex } from 'knex'
import type { Account } from '../account.js'
import { toIsoDate } from '../lib/business-date.js'
import type { Logger } from '../lib/logger.js'
import { recordPlanned } from '../runs/occurrences.js'
import { findForecast } from '../summaries/forecast.js'

/**
 * Records on a run that has just been opened how many users it is expected to reach: the forecast of its day, computed
 * now for a small account, else as last kept. Without one it stays open: a run never waits or fails for a forecast.
 */
export async function notePlanned(
  { db, log }: { db: Knex; log: Logger },
  account: Account,
  run: { id: number; slot: number },
  now: number,
): Promise<void> {
  try {
    const [first] = (await findForecast(db, account, { days: 1 }, now)).days
    if (first?.date === toIsoDate(run.slot)) await recordPlanned(db, run.id, first.reachable)
  } catch (error) {
    log.warn(
      { event: 'remind.not_planned', app_id: account.appId, run_id: run.id, err: error },
      'the run goes on without a planned number',
    )
  }
}
