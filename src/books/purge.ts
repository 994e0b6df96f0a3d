import type { Knex } from 'knex'
import { execute, isSqlite, MAX_LIST, placeholders } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { sortedUnique } from '../lib/sorted.js'
import { byId } from './locked-permits.js'

/**
 * Deletes permits by id. A permit that is unspent again (given back since it was found) stays, because its user's
 * counter includes it. Returns how many were deleted.
 */
export async function purgePermits(trx: Knex.Transaction, ids: number[]): Promise<number> {
  // MySQL takes a hint only where the table has an alias.
  const from = isSqlite(trx) ? 'FROM wx_save_form_id AS f' : `f FROM wx_save_form_id AS f${byId(trx)}`
  let deleted = 0
  for (const chunk of chunks(sortedUnique(ids), MAX_LIST)) {
    const { affectedRows } = await execute(
      trx,
      `DELETE ${from} WHERE f.id IN (${placeholders(chunk.length)}) AND f.status <> 0`,
      chunk,
    )
    deleted += affectedRows
  }
  return deleted
}
