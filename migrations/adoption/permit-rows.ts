import type { Knex } from 'knex'
import type { MigrationParams } from '../../src/db/migrate.js'
import { isSqlite } from '../../src/db/sql.js'
import { NO_FORM_ID } from '../../src/permits/accept.js'
import { updateInChunks } from '../lib/chunks.js'
import { reportRows } from '../lib/report.js'
import { permits } from './public-tables.js'

const MAX_OPEN_ID = 100
const MAX_FORM_ID = 128
export const NO_PERMIT = `LOWER(TRIM(form_id)) IN (${NO_FORM_ID.texts.map((text) => `'${text}'`).join(', ')})
  OR LOWER(TRIM(form_id)) LIKE '${NO_FORM_ID.prefix}%'`

export const STRANGE_STATUS = 'status IS NULL OR status NOT IN (0, 1, 2)'

/**
 * Smaller values are not times in ms since 1973. From the lower bound on, they are times in seconds since
 * 1973.
 */
const FIRST_MS = 100_000_000_000
const FIRST_SECOND = FIRST_MS / 1000
export const IN_SECONDS = `expire >= ${FIRST_SECOND} AND expire < ${FIRST_MS}`

/** Rows that no program could send to, whatever their status says. */
export function unusable(db: Knex): string {
  return `user_id IS NULL OR user_id <= 0 OR expire IS NULL
     OR ${noId(db, 'open_id', MAX_OPEN_ID)} OR ${noId(db, 'form_id', MAX_FORM_ID)}`
}

/**
 * Makes the values of an old table fit the types to come. No row is deleted: what cannot be sent is expired.
 * The old values of ids are not kept, because they were not ids.
 */
export async function cleanPermits(db: Knex, params: MigrationParams): Promise<void> {
  const update = (set: string, where: string) => updateInChunks(db, params, permits.name, set, where)

  // 2, not 0: the old program never sent these, and one of them may have been spent.
  const strange = await update('status = 2', STRANGE_STATUS)
  reportRows(params, permits.name, strange, 'with a status other than 0, 1, 2: set to 2 (expired)')

  const unsendable = await update('status = 2', `status = 0 AND (${unusable(db)})`)
  reportRows(
    params,
    permits.name,
    unsendable,
    'unspent, without a usable open_id, user_id, form_id or expire: set to 2',
  )

  const texts = await update('status = 2', `status = 0 AND (${NO_PERMIT})`)
  reportRows(
    params,
    permits.name,
    texts,
    'unspent, with a text of the developer tools or of a failed request in place of a form_id: set to 2',
  )

  await update(
    'user_id = COALESCE(user_id, 0), expire = COALESCE(expire, 0)',
    'user_id IS NULL OR expire IS NULL',
  )
  const rewritten = await update(
    `open_id = ${asId(db, 'open_id', MAX_OPEN_ID)}, form_id = ${asId(db, 'form_id', MAX_FORM_ID)}`,
    `${differs(db, 'open_id', MAX_OPEN_ID)} OR ${differs(db, 'form_id', MAX_FORM_ID)}`,
  )
  reportRows(
    params,
    permits.name,
    rewritten,
    'with an id that was NULL, padded, too long or not ASCII: rewritten',
  )
}

/** Gives rows without an account to the known one, and converts times in seconds to ms like the others. */
export async function completePermits(db: Knex, params: MigrationParams): Promise<void> {
  const { appId } = params
  if (appId !== '') {
    const assigned = await updateInChunks(db, params, permits.name, 'app_id = ?', "app_id = ''", [appId])
    reportRows(params, permits.name, assigned, `without an account: assigned to ${appId}`)
  }
  // A converted row is beyond this range, so repeating this after a crash changes nothing.
  const seconds = await updateInChunks(db, params, permits.name, 'expire = expire * 1000', IN_SECONDS)
  reportRows(params, permits.name, seconds, 'with expire in seconds: now in ms')
}

function noId(db: Knex, column: string, max: number): string {
  return `${column} IS NULL OR TRIM(${column}) = '' OR ${tooWide(db, `TRIM(${column})`, max)}`
}

function differs(db: Knex, column: string, max: number): string {
  return `${column} IS NULL OR LENGTH(TRIM(${column})) <> LENGTH(${column}) OR ${tooWide(db, column, max)}`
}

function tooWide(db: Knex, value: string, max: number): string {
  return isSqlite(db)
    ? `LENGTH(${value}) > ${max} OR LENGTH(CAST(${value} AS BLOB)) <> LENGTH(${value})`
    : `CHAR_LENGTH(${value}) > ${max} OR LENGTH(CONVERT(${value} USING utf8mb4)) <> CHAR_LENGTH(${value})`
}

/**
 * On MySQL, whose columns become ASCII, any other character becomes a question mark (escaped for Knex).
 * CONVERT ... USING ascii would do it too, but MariaDB refuses it in strict mode. The collation is binary,
 * because a case-insensitive one takes a long s for an s.
 */
function asId(db: Knex, column: string, max: number): string {
  const text = `TRIM(COALESCE(${column}, ''))`
  if (isSqlite(db)) return `SUBSTR(${text}, 1, ${max})`
  return `LEFT(REGEXP_REPLACE(CONVERT(${text} USING utf8mb4) COLLATE utf8mb4_bin, '[^ -~]', '\\?'), ${max})`
}
