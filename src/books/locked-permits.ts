import type { Knex } from 'knex'
import { forUpdate, placeholders, selectRows } from '../db/sql.js'
import type { UserId } from '../lib/user-id.js'
import type { PermitSource } from './permit.js'

export interface LockedPermit {
  id: number
  user_id: UserId
  open_id: string
  status: number
  expire: number
  form_id: string
  source: PermitSource
}

/** Locks permits by ascending id, whatever their status. */
export async function lockPermits(trx: Knex.Transaction, ids: number[]): Promise<Map<number, LockedPermit>> {
  const rows = await selectRows<LockedPermit>(
    trx,
    `SELECT id, user_id, open_id, status, expire, form_id, source FROM wx_save_form_id
     WHERE id IN (${placeholders(ids.length)}) ORDER BY id${forUpdate(trx)}`,
    ids,
  )
  return new Map(rows.map((row) => [row.id, row]))
}
