import type { Knex } from 'knex'
import type { MigrationParams } from '../src/db/migrate.js'
import { execute, isSqlite } from '../src/db/sql.js'
import { permits } from './adoption/public-tables.js'
import { forEachRange } from './lib/chunks.js'

export const adopts = true

/** Marks the rows that are created here; no other row was created in 1970. */
const UNKNOWN = 0

/**
 * Binds each open_id that has permits to their user, so that a person who logs in is the same user as before.
 * An open_id with permits of several users stays unbound: the next upload tells which of them is right.
 * Existing rows stay as they are.
 */
export async function up(db: Knex, params: MigrationParams): Promise<void> {
  const onDuplicate = isSqlite(db)
    ? `ON CONFLICT (app_id, open_id) DO UPDATE SET user_id = NULL
       WHERE wx_user.created_at = ${UNKNOWN} AND wx_user.user_id <> excluded.user_id`
    : `ON DUPLICATE KEY UPDATE user_id = IF(wx_user.created_at = ${UNKNOWN} AND wx_user.user_id <> VALUES(user_id),
       NULL, wx_user.user_id)`
  await forEachRange(db, params, permits.name, 'id', async (after, upTo) => {
    // A row without an open_id or a user was not a permit when it was adopted: it has '', 0 or less, and
    // status 2.
    await execute(
      db,
      `INSERT INTO wx_user (app_id, open_id, user_id, created_at, updated_at)
       SELECT p.app_id, p.open_id, p.user_id, ${UNKNOWN}, ${UNKNOWN} FROM ${permits.name} AS p
       WHERE p.id > ? AND p.id <= ? AND p.app_id <> '' AND p.open_id <> '' AND NOT (p.user_id <= 0 AND p.status = 2)
       GROUP BY p.app_id, p.open_id, p.user_id ${onDuplicate}`,
      [after, upTo],
    )
  })
  await execute(db, `DELETE FROM wx_user WHERE created_at = ${UNKNOWN} AND user_id IS NULL`)
}

/** Bindings stay: something may have relied on them since. */
export async function down(): Promise<void> {}
