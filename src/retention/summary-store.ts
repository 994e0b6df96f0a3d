import type { Knex } from 'knex'
import { execute } from '../db/sql.js'
import type { BusinessDate } from '../lib/business-date.js'

/** Deletes the summaries of days before one: 32 rows for each day and account. */
export async function deleteSummaries(
  trx: Knex.Transaction,
  appId: string,
  beforeDay: BusinessDate,
): Promise<void> {
  await execute(trx, 'DELETE FROM wx_forecast_day WHERE app_id = ? AND made_on < ?', [appId, beforeDay])
  await execute(trx, 'DELETE FROM wx_day_summary WHERE app_id = ? AND day < ?', [appId, beforeDay])
}
