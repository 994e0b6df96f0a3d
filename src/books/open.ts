import type { Knex } from 'knex'
import { execute, isSqlite, MAX_LIST, placeholders, rowPlaceholders, selectRows } from '../db/sql.js'
import { inTransaction } from '../db/transaction.js'
import { chunks } from '../lib/chunks.js'
import type { UserId } from '../lib/user-id.js'

/** How many persons one statement reads (about 10 ms). */
const PAGE = 2_000

/**
 * Opens the counters of those of these users who have none: no permit, never reminded. Locks nothing of the others.
 * `userIds` must be sorted.
 */
export async function openCounters(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
  now: number,
): Promise<void> {
  for (const chunk of chunks(userIds, MAX_LIST)) {
    const known = await selectRows<{ user_id: UserId }>(
      trx,
      `SELECT user_id FROM wx_message_push_status WHERE app_id = ? AND user_id IN (${placeholders(chunk.length)})`,
      [appId, ...chunk],
    )
    const open = new Set(known.map(({ user_id }) => user_id))
    await insertCounters(
      trx,
      appId,
      chunk.filter((userId) => !open.has(userId)),
      now,
    )
  }
}

/**
 * Opens the counters of all users of the account whose open_id is known, page by page, in transactions of their own:
 * users of an earlier channel, and rows that were written by hand. With nothing to do it reads two indexes (100,000 users
 * on MariaDB, on a busy machine: 0.9 s, and 2.1 s to open all of them). Returns how many were opened.
 */
export async function openAllCounters(db: Knex, appId: string, now: number): Promise<number> {
  let opened = 0
  for (let after: UserId = Number.MIN_SAFE_INTEGER; ; ) {
    const end = await findPageEnd(db, appId, after)
    if (end === undefined) return opened
    const users = await findUncounted(db, appId, after, end)
    for (const chunk of chunks(users, MAX_LIST))
      await inTransaction(db, (trx) => insertCounters(trx, appId, chunk, now))
    opened += users.length
    after = end
  }
}

async function insertCounters(
  trx: Knex.Transaction,
  appId: string,
  userIds: UserId[],
  now: number,
): Promise<void> {
  if (userIds.length === 0) return
  // Somebody may have been faster.
  const onDuplicate = isSqlite(trx)
    ? 'ON CONFLICT (app_id, user_id) DO NOTHING'
    : 'ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)'
  await execute(
    trx,
    `INSERT INTO wx_message_push_status (app_id, user_id, count, last_date, created_at, updated_at)
     VALUES ${rowPlaceholders(userIds.length, 6)} ${onDuplicate}`,
    userIds.flatMap((userId) => [appId, userId, 0, 0, now, now]),
  )
}

/** The user of the last person of a page; undefined if there is no person left. Reads the index alone. */
async function findPageEnd(db: Knex, appId: string, after: UserId): Promise<UserId | undefined> {
  const read = (order: string): Promise<{ user_id: UserId }[]> =>
    selectRows(db, `SELECT user_id FROM wx_user WHERE app_id = ? AND user_id > ? ORDER BY user_id ${order}`, [
      appId,
      after,
    ])
  const [last] = await read(`LIMIT 1 OFFSET ${PAGE - 1}`)
  return last?.user_id ?? (await read('DESC LIMIT 1'))[0]?.user_id
}

/** Users with a person and without a counter. Plan: w range wx_user_user_idx, p eq_ref. */
async function findUncounted(db: Knex, appId: string, after: UserId, end: UserId): Promise<UserId[]> {
  const rows = await selectRows<{ user_id: UserId }>(
    db,
    `SELECT DISTINCT w.user_id FROM wx_user w
     LEFT JOIN wx_message_push_status p ON p.app_id = w.app_id AND p.user_id = w.user_id
     WHERE w.app_id = ? AND w.user_id > ? AND w.user_id <= ? AND p.user_id IS NULL ORDER BY w.user_id`,
    [appId, after, end],
  )
  return rows.map(({ user_id }) => user_id)
}
