import type { Knex } from 'knex'
import type { MigrationParams } from '../src/db/migrate.js'
import { updateInChunks } from './lib/chunks.js'
import { permits } from './lib/public-tables.js'
import { reportRows } from './lib/report.js'

/** Below: no time in ms since 1973. From the lower bound on: a time in seconds since 1973. */
const FIRST_MS = 100_000_000_000
const FIRST_SECOND = FIRST_MS / 1000
export const IN_SECONDS = `expire >= ${FIRST_SECOND} AND expire < ${FIRST_MS}`

export async function up(db: Knex, params: MigrationParams): Promise<void> {
  const { appId } = params
  if (appId !== '') {
    const assigned = await updateInChunks(db, params, permits.name, 'app_id = ?', "app_id = ''", [appId])
    reportRows(params, permits.name, assigned, `without an account: assigned to ${appId}`)
  }
  // A row that is done is beyond this range, so doing it again after a crash changes nothing.
  const seconds = await updateInChunks(db, params, permits.name, 'expire = expire * 1000', IN_SECONDS)
  reportRows(params, permits.name, seconds, 'with expire in seconds: now in ms')
}

/** Rows keep their account, and times in ms are what the published programs use too. */
export async function down(): Promise<void> {}
