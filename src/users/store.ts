import type { Knex } from 'knex'
import {
  execute,
  forUpdate,
  isSqlite,
  MAX_LIST,
  placeholders,
  rowPlaceholders,
  selectRows,
} from '../db/sql.js'
import type { Statement } from '../db/together.js'
import { chunks } from '../lib/chunks.js'
import type { UserId } from '../lib/user-id.js'
import { keepEnded } from './stop-history-store.js'

export interface Binding {
  openId: string
  userId: UserId
}

/**
 * Rows of the open_ids that we know, without locks; userId is null if the open_id belongs to nobody yet. By
 * the primary key. MySQL ignores trailing blanks in comparisons, and another program may have written some,
 * so they are trimmed here.
 */
export async function findPersons(
  db: Knex,
  appId: string,
  openIds: string[],
): Promise<{ openId: string; userId: UserId | null }[]> {
  const found: { openId: string; userId: UserId | null }[] = []
  for (const chunk of chunks(openIds, MAX_LIST)) {
    const rows = await selectRows<{ open_id: string; user_id: UserId | null }>(
      db,
      `SELECT RTRIM(open_id) AS open_id, user_id FROM wx_user WHERE app_id = ? AND open_id IN (${placeholders(chunk.length)})`,
      [appId, ...chunk],
    )
    for (const { open_id, user_id } of rows) found.push({ openId: open_id, userId: user_id })
  }
  return found
}

/**
 * Inserts bindings of open_ids that had no row when we looked, sorted by open_id. Returns how many still had
 * none.
 */
export async function insertBindings(
  trx: Knex.Transaction,
  appId: string,
  bindings: Binding[],
  now: number,
): Promise<number> {
  let inserted = 0
  for (const chunk of chunks(bindings, MAX_LIST)) {
    const { affectedRows } = await execute(
      trx,
      `INSERT ${isSqlite(trx) ? 'OR IGNORE' : 'IGNORE'} INTO wx_user (app_id, open_id, user_id, created_at, updated_at)
       VALUES ${rowPlaceholders(chunk.length, 5)}`,
      chunk.flatMap(({ openId, userId }) => [appId, openId, userId, now, now]),
    )
    inserted += affectedRows
  }
  return inserted
}

/**
 * Binds open_ids that belong to nobody yet and leaves the others unchanged. `bindings` are sorted by open_id.
 */
export async function bindUnbound(
  trx: Knex.Transaction,
  appId: string,
  bindings: Binding[],
  now: number,
): Promise<void> {
  // MySQL assigns from left to right: updated_at must be computed from user_id before that is set.
  const onDuplicate = isSqlite(trx)
    ? `ON CONFLICT (app_id, open_id) DO UPDATE SET user_id = excluded.user_id, updated_at = excluded.updated_at
       WHERE user_id IS NULL`
    : `ON DUPLICATE KEY UPDATE updated_at = IF(user_id IS NULL, VALUES(updated_at), updated_at),
       user_id = COALESCE(user_id, VALUES(user_id))`
  for (const chunk of chunks(bindings, MAX_LIST)) {
    await execute(
      trx,
      `INSERT INTO wx_user (app_id, open_id, user_id, created_at, updated_at)
       VALUES ${rowPlaceholders(chunk.length, 5)} ${onDuplicate}`,
      chunk.flatMap(({ openId, userId }) => [appId, openId, userId, now, now]),
    )
  }
}

/**
 * The statements that bind open_ids which had no row when we looked, sorted by open_id. They fail with a duplicate error
 * if one has a row by now.
 */
export function bindingsOf(appId: string, bindings: Binding[], now: number): Statement[] {
  return chunks(bindings, MAX_LIST).map((chunk) => ({
    sql: `INSERT INTO wx_user (app_id, open_id, user_id, created_at, updated_at)
       VALUES ${rowPlaceholders(chunk.length, 5)}`,
    bindings: chunk.flatMap(({ openId, userId }) => [appId, openId, userId, now, now]),
  }))
}

/** Locks a bound person and returns the user. */
export async function lockUserOf(trx: Knex.Transaction, appId: string, openId: string): Promise<UserId> {
  const [row] = await selectRows<{ user_id: UserId }>(
    trx,
    `SELECT user_id FROM wx_user WHERE app_id = ? AND open_id = ? AND user_id IS NOT NULL${forUpdate(trx)}`,
    [appId, openId],
  )
  if (!row) throw new Error('the person is not bound')
  return row.user_id
}

/** Binds a person to another user. What stops messages to the person goes along, and ends for the user before. */
export async function changeUser(
  trx: Knex.Transaction,
  appId: string,
  openId: string,
  userId: UserId,
  now: number,
): Promise<void> {
  await keepEnded(trx, { appId, openId }, { kinds: ['opt_out', 'block'], at: now })
  await execute(trx, 'UPDATE wx_user SET user_id = ?, updated_at = ? WHERE app_id = ? AND open_id = ?', [
    userId,
    now,
    appId,
    openId,
  ])
}

/** Records who logged in, with or without a user. A known unionid stays when a login names none. */
export async function recordLogin(
  trx: Knex.Transaction,
  { appId, openId, unionId }: { appId: string; openId: string; unionId: string | undefined },
  now: number,
): Promise<void> {
  const onDuplicate = isSqlite(trx)
    ? `ON CONFLICT (app_id, open_id) DO UPDATE SET union_id = COALESCE(excluded.union_id, union_id),
       updated_at = excluded.updated_at`
    : 'ON DUPLICATE KEY UPDATE union_id = COALESCE(VALUES(union_id), union_id), updated_at = VALUES(updated_at)'
  await execute(
    trx,
    `INSERT INTO wx_user (app_id, open_id, union_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?) ${onDuplicate}`,
    [appId, openId, unionId ?? null, now, now],
  )
}

/** Locks the account's row of numbers, creating it, and returns the last number allotted; 0 = none yet. */
export async function lockLastNumber(trx: Knex.Transaction, appId: string, now: number): Promise<number> {
  // An upsert that changes nothing, not INSERT IGNORE: that takes a shared lock first, and two of them
  // deadlock.
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id) DO NOTHING'
    : 'ON DUPLICATE KEY UPDATE last_user_id = last_user_id'
  await execute(
    trx,
    `INSERT INTO wx_user_number (app_id, last_user_id, updated_at) VALUES (?, 0, ?) ${onDuplicate}`,
    [appId, now],
  )
  const [row] = await selectRows<{ last_user_id: number }>(
    trx,
    `SELECT last_user_id FROM wx_user_number WHERE app_id = ?${forUpdate(trx)}`,
    [appId],
  )
  return row?.last_user_id ?? 0
}

export async function setLastNumber(
  trx: Knex.Transaction,
  appId: string,
  userId: number,
  now: number,
): Promise<void> {
  await execute(trx, 'UPDATE wx_user_number SET last_user_id = ?, updated_at = ? WHERE app_id = ?', [
    userId,
    now,
    appId,
  ])
}

/**
 * The tables where a user of the account can have left a trace. Each has an index that begins with app_id,
 * user_id. Who has a message has a counter too.
 */
const TABLES_WITH_USERS = ['wx_user', 'wx_message_push_status', 'wx_save_form_id', 'wx_sign_in']

/** The highest user id from `from` to `to` that any table of ours knows. */
export async function highestUsed(
  trx: Knex.Transaction,
  appId: string,
  from: number,
  to: number,
): Promise<number | undefined> {
  const one = (table: string) =>
    `SELECT MAX(user_id) AS user_id FROM ${table} WHERE app_id = ? AND user_id >= ? AND user_id <= ?`
  const [row] = await selectRows<{ user_id: number | null }>(
    trx,
    `SELECT MAX(user_id) AS user_id FROM (${TABLES_WITH_USERS.map(one).join(' UNION ALL ')}) AS used`,
    TABLES_WITH_USERS.flatMap(() => [appId, from, to]),
  )
  return row?.user_id ?? undefined
}
