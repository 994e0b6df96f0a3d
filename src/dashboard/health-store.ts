import type { Knex } from 'knex'
import { isSqlite, selectRows } from '../db/sql.js'

/** When WeChat last pushed an event of the account, in ms. Uses wx_callback_event_received_idx. */
export async function findLastEvent(db: Knex, appId: string): Promise<number | null> {
  const [row] = await selectRows<{ at: number | null }>(
    db,
    'SELECT MAX(received_at) AS at FROM wx_callback_event WHERE app_id = ?',
    [appId],
  )
  return row?.at ?? null
}

export async function findVersion(db: Knex): Promise<string> {
  const [row] = await selectRows<{ version: string }>(
    db,
    isSqlite(db) ? "SELECT 'SQLite ' || sqlite_version() AS version" : 'SELECT VERSION() AS version',
  )
  return row?.version ?? ''
}
