import type { Knex } from 'knex'
import { databaseNow, execute, isSqlite, placeholders, selectRows } from '../db/sql.js'
import type { Instance } from '../lib/instance.js'

/** All times are by the database's clock: the clocks of the processes' machines may differ. */

export interface InstanceRow {
  instance_id: string
  app_id: string
  host: string
  pid: number
  version: string
  started_at: number
  seen_at: number
  now: number
}

/** Writes a sign of life for each account; the first one, or one after its row was deleted, writes the row. */
export async function recordSeen(
  db: Knex,
  appIds: readonly string[],
  instance: Instance,
  uptimeMs: number,
): Promise<void> {
  if (appIds.length === 0) return
  const now = databaseNow(db)
  const row = `(?, ?, ?, ?, ?, ${now} - ?, ${now})`
  const { id, host, pid, version } = instance
  await execute(
    db,
    `INSERT INTO wx_instance (instance_id, app_id, host, pid, version, started_at, seen_at)
     VALUES ${appIds.map(() => row).join(', ')}
     ${
       isSqlite(db)
         ? 'ON CONFLICT (instance_id, app_id) DO UPDATE SET seen_at = excluded.seen_at'
         : 'ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at)'
     }`,
    appIds.flatMap((appId) => [id, appId, host, pid, version, Math.round(uptimeMs)]),
  )
}

/** Deletes the rows of a process, except those of some accounts. Uses the primary key. */
export async function deleteInstance(db: Knex, id: string, except: readonly string[] = []): Promise<void> {
  const rest = except.length === 0 ? '' : ` AND app_id NOT IN (${placeholders(except.length)})`
  await execute(db, `DELETE FROM wx_instance WHERE instance_id = ?${rest}`, [id, ...except])
}

/** Deletes what processes left that were killed. Uses wx_instance_seen_idx. */
export async function deleteUnseen(db: Knex, forMs: number): Promise<void> {
  await execute(db, `DELETE FROM wx_instance WHERE seen_at < ${databaseNow(db)} - ?`, [forMs])
}

/** Those that serve an account, the last seen first. Uses wx_instance_app_idx. */
export function findSeen(db: Knex, appId: string, limit: number): Promise<InstanceRow[]> {
  return selectRows(
    db,
    `SELECT instance_id, app_id, host, pid, version, started_at, seen_at, ${databaseNow(db)} AS now
     FROM wx_instance WHERE app_id = ? ORDER BY seen_at DESC LIMIT ?`,
    [appId, limit],
  )
}
