import type { Knex } from 'knex'
import { selectRows } from '../db/sql.js'
import type { BusinessDate } from '../lib/business-date.js'

export interface FailureRow {
  slot: BusinessDate
  /** 0 = no code of WeChat's, see cause. */
  errcode: number
  cause: string
  messages: number
}

/** What failed in the runs of some days, by code. Reads the rows of these runs in wx_run_outcome, by its key. */
export function findFailures(
  db: Knex,
  appId: string,
  { first, last }: { first: BusinessDate; last: BusinessDate },
): Promise<FailureRow[]> {
  return selectRows<FailureRow>(
    db,
    `SELECT r.slot, o.errcode, o.cause, SUM(o.messages) AS messages
     FROM wx_job_run r JOIN wx_run_outcome o ON o.run_id = r.id AND o.outcome = 'failed'
     WHERE r.job = 'remind' AND r.app_id = ? AND r.slot BETWEEN ? AND ?
     GROUP BY r.slot, o.errcode, o.cause`,
    [appId, first, last],
  )
}
