import type { Knex } from 'knex'
import { execute, selectRows } from '../db/sql.js'

export interface SweepCount {
  expired: number
  users: number
}

/** How far sweeps have come. */
export interface SweepProgress {
  /** The `expire` up to which they have looked. */
  sweptTo: number
  /** When the last pass through the rows far below that began, and how far it has come; null = it is finished. */
  passStartedAt: number
  passAt: number | null
}

/** Finds the progress as the newest sweep left it, however that sweep ended. */
export async function findProgress(db: Knex, appId: string): Promise<SweepProgress | undefined> {
  const [last] = await selectRows<{ swept_to: number; pass_started_at: number; pass_at: number | null }>(
    db,
    `SELECT swept_to, pass_started_at, pass_at FROM wx_job_run
     WHERE job = 'expire' AND app_id = ? AND swept_to IS NOT NULL ORDER BY slot DESC LIMIT 1`,
    [appId],
  )
  return last && { sweptTo: last.swept_to, passStartedAt: last.pass_started_at, passAt: last.pass_at }
}

export async function recordSweep(
  db: Knex,
  runId: number,
  sweep: SweepProgress & SweepCount & { from: number },
): Promise<void> {
  await execute(
    db,
    `UPDATE wx_job_run SET swept_from = ?, swept_to = ?, pass_started_at = ?, pass_at = ?, expired = ?,
       expired_users = ? WHERE id = ?`,
    [sweep.from, sweep.sweptTo, sweep.passStartedAt, sweep.passAt, sweep.expired, sweep.users, runId],
  )
}
