import type { Knex } from 'knex'
import type { MigrationParams } from '../src/db/migrate.js'
import { isThere } from './lib/adopt.js'
import { updateInChunks } from './lib/chunks.js'
import { counters } from './lib/public-tables.js'
import { reportRows } from './lib/report.js'

export const UNFIT = 'user_id IS NULL OR last_date IS NULL OR count IS NULL OR count < 0'

/** Makes the values of an old table fit for the types and CHECKs to come. The true counts are computed later. */
export async function up(db: Knex, params: MigrationParams): Promise<void> {
  if (!(await isThere(db, counters))) return
  const rows = await updateInChunks(
    db,
    params,
    counters.name,
    `user_id = COALESCE(user_id, 0), last_date = COALESCE(last_date, 0),
     count = CASE WHEN count > 0 THEN count ELSE 0 END`,
    UNFIT,
  )
  reportRows(params, counters.name, rows, 'with a NULL or a negative count: set to 0')
}

export async function down(): Promise<void> {}
