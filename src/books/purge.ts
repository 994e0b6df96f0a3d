import type { Knex } from 'knex'
import { execute, MAX_LIST, placeholders } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { sortedUnique } from '../lib/sorted.js'

/**
 * Deletes permits by id. A permit that is unspent again (given back since it was found) stays, because its user's
 * counter includes it. Returns how many were deleted.
 */
export async function purgePermits(trx: Knex.Transaction, ids: number[]): Promise<number> {
  let deleted = 0
  for (const chunk of chunks(sortedUnique(ids), MAX_LIST)) {
    const { affectedRows } = await execute(
      trx,
      `DELETE FROM wx_save_form_id WHERE id IN (${placeholders(chunk.length)}) AND status <> 0`,
      chunk,
    )
    deleted += affectedRows
  }
  return deleted
}
