import type { Knex } from 'knex'
import { execute, MAX_LIST, placeholders, selectRows } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'
import { sortedUnique } from '../lib/sorted.js'
import type { UserId } from '../lib/user-id.js'
import { countDown, countUp, lockCounters } from './counters.js'
import { byId, lockWithStatus } from './locked-permits.js'

/**
 * Hands over to another user the unspent permits that an open_id gave for one user: they are good for messages to
 * this person, whoever that is in the owner's books. Permits that are being spent stay; one that another transaction
 * is giving back is waited for. The caller has locked the person. Returns how many were handed over. Finds them by
 * user.
 */
export async function handOver(
  trx: Knex.Transaction,
  { appId, openId, from, to }: { appId: string; openId: string; from: UserId; to: UserId },
  now: number,
): Promise<number> {
  const given = await selectRows<{ id: number }>(
    trx,
    'SELECT id FROM wx_save_form_id WHERE app_id = ? AND user_id = ? AND open_id = ?',
    [appId, from, openId],
  )
  const rows: { id: number }[] = []
  for (const ids of chunks(sortedUnique(given.map(({ id }) => id)), MAX_LIST))
    rows.push(...(await lockWithStatus(trx, ids, 0)).filter(({ user_id }) => user_id === from))
  if (rows.length === 0) return 0
  await lockCounters(trx, appId, sortedUnique([from, to]))
  for (const chunk of chunks(rows, MAX_LIST))
    await execute(
      trx,
      `UPDATE wx_save_form_id${byId(trx)} SET user_id = ?, updated_at = ? WHERE id IN (${placeholders(chunk.length)})`,
      [to, now, ...chunk.map(({ id }) => id)],
    )
  await countDown(trx, appId, [from], rows.length, now)
  await countUp(trx, [{ appId, userId: to, by: rows.length }], now)
  return rows.length
}
