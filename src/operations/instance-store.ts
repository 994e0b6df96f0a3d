import type { Knex } from 'knex'
import { databaseNow, execute, isSqlite, selectRows } from '../db/sql.js'
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

/** Writes a sign of life; the first one, or one after the row was deleted, writes the row. */
export async function recordSeen(
  db: Knex,
  appId: string,
  instance: Instance,
  uptimeMs: number,
): Promise<void> {
  const now = databaseNow(db)
  await execute(
    db,
    `INSERT INTO wx_instance (instance_id, app_id, host, pid, version, started_at, seen_at)
     VALUES (?, ?, ?, ?, ?, ${now} - ?, ${now})
     ${
       isSqlite(db)
         ? 'ON CONFLICT (instance_id) DO UPDATE SET seen_at = excluded.seen_at'
         : 'ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at)'
     }`,
    [instance.id, appId, instance.host, instance.pid, instance.version, Math.round(uptimeMs)],
  )
}

export async function deleteInstance(db: Knex, id: string): Promise<void> {
  await execute(db, 'DELETE FROM wx_instance WHERE instance_id = ?', [id])
}

/** Deletes what processes left that were killed. Uses wx_instance_seen_idx. */
export async function deleteUnseen(db: Knex, forMs: number): Promise<void> {
  await execute(db, `DELETE FROM wx_instance WHERE seen_at < ${databaseNow(db)} - ?`, [forMs])
}

/** Those of all accounts, the last seen first. Uses wx_instance_seen_idx. */
export function findSeen(db: Knex, limit: number): Promise<InstanceRow[]> {
  return selectRows(
    db,
    `SELECT instance_id, app_id, host, pid, version, started_at, seen_at, ${databaseNow(db)} AS now
     FROM wx_instance ORDER BY seen_at DESC LIMIT ?`,
    [limit],
  )
}
