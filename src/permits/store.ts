import type { Knex } from 'knex'
import { execute, isSqlite, MAX_LIST, placeholders, rowPlaceholders, selectRows } from '../db/sql.js'
import { chunks } from '../lib/chunks.js'

export interface NewPermit {
  appId: string
  openId: string
  userId: number
  formId: string
  page: string | undefined
  expire: number
}

export interface PermitOwner {
  open_id: string
  user_id: number
  form_id: string
}

/** Who already owns the form_ids, without locks. Uses wx_save_form_id_permit_uq. */
export async function findOwners(trx: Knex, appId: string, formIds: string[]): Promise<PermitOwner[]> {
  const found: PermitOwner[] = []
  for (const chunk of chunks(formIds, MAX_LIST)) {
    const rows = await selectRows<PermitOwner>(
      trx,
      `SELECT open_id, user_id, form_id FROM wx_save_form_id
       WHERE app_id = ? AND form_id IN (${placeholders(chunk.length)}) AND use_no = 1`,
      [appId, ...chunk],
    )
    found.push(...rows)
  }
  return found
}

/** Inserts permits, sorted by key. Throws a duplicate error if another transaction was first with one of them. */
export async function insertPermits(trx: Knex, permits: NewPermit[], now: number): Promise<void> {
  for (const chunk of chunks(permits, MAX_LIST)) {
    await execute(
      trx,
      `INSERT INTO wx_save_form_id (app_id, open_id, user_id, form_id, page, expire, created_at, updated_at)
       VALUES ${rowPlaceholders(chunk.length, 8)}`,
      chunk.flatMap((p) => [p.appId, p.openId, p.userId, p.formId, p.page ?? null, p.expire, now, now]),
    )
  }
}

export interface CounterChange {
  appId: string
  userId: number
  by: number
}

/** Counts users up, creating their row with the first permit. `changes` sorted by account and user. */
export async function countUp(trx: Knex, changes: CounterChange[], now: number): Promise<void> {
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id, user_id) DO UPDATE SET count = count + excluded.count, updated_at = excluded.updated_at'
    : 'ON DUPLICATE KEY UPDATE count = count + VALUES(count), updated_at = VALUES(updated_at)'
  for (const chunk of chunks(changes, MAX_LIST)) {
    await execute(
      trx,
      `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
       VALUES ${rowPlaceholders(chunk.length, 6)} ${onDuplicate}`,
      chunk.flatMap((change) => [change.appId, change.userId, change.by, 0, now, now]),
    )
  }
}
