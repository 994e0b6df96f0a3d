import type { Knex } from 'knex'
import { execute, forUpdate, isSqlite, placeholders, selectRows } from '../db/sql.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { countByUser, countDown, lockCounters } from './counters.js'
import { byId, NOBODY } from './locked-permits.js'

export interface ErasablePermit {
  id: number
  user_id: UserId
  open_id: string
  status: number
  message_id: number
}

/** Locks permits by ascending id, except those whose giver was erased before. Takes at most MAX_LIST `ids`. */
export async function lockErasable(trx: Knex.Transaction, ids: number[]): Promise<ErasablePermit[]> {
  return selectRows<ErasablePermit>(
    trx,
    `SELECT id, user_id, open_id, status, message_id FROM wx_save_form_id${byId(trx)}
     WHERE id IN (${placeholders(ids.length)}) AND open_id <> ? ORDER BY id${forUpdate(trx)}`,
    [...sortedUnique(ids), NOBODY],
  )
}

/**
 * Takes from locked permits what leads to a person: open_id, form_id and page. An unspent one becomes expired, and its
 * user is counted down. In place of the form_id stands one that is unique, that no upload can name (it has a blank),
 * and that says nothing. `updated_at` stays where the status does: it tells when a permit was spent. Returns how many
 * were unspent.
 */
export async function erasePermits(
  trx: Knex.Transaction,
  appId: string,
  permits: ErasablePermit[],
  now: number,
): Promise<number> {
  if (permits.length === 0) return 0
  const unspent = permits.filter(({ status }) => status === 0)
  const losses = countByUser(unspent)
  const users = sortedUnique(losses.keys())
  if (users.length > 0) await lockCounters(trx, appId, users)
  // MySQL assigns from left to right: what depends on the status comes before it.
  await execute(
    trx,
    `UPDATE wx_save_form_id${byId(trx)} SET updated_at = CASE WHEN status = 0 THEN ? ELSE updated_at END,
       status = CASE WHEN status = 0 THEN 2 ELSE status END, open_id = ?, page = NULL,
       form_id = ${isSqlite(trx) ? "'erased ' || id" : "CONCAT('erased ', id)"}
     WHERE id IN (${placeholders(permits.length)})`,
    [now, NOBODY, ...permits.map(({ id }) => id)],
  )
  for (const by of new Set(losses.values())) {
    const losers = users.filter((userId) => losses.get(userId) === by)
    await countDown(trx, appId, losers, by, now)
  }
  return unspent.length
}
