import type { Knex } from 'knex'
import type { Logger } from '../lib/logger.js'
import { closeRun, openRun } from './occurrences.js'
import type { Reason } from './reason.js'
import type { Ending, JobRun, Occurrence, Trigger } from './run.js'

export interface RunOptions {
  triggeredBy: Trigger
  now(): number
  /** How many users a new occurrence may claim. */
  claimLimit?: number | undefined
  /** Whether this process works on the occurrence. By default only the one that opened it does. */
  enter?(run: JobRun, opened: boolean): Promise<boolean>
  /**
   * What happens to the occurrence if the work throws: `halt` ends it, and work resumes with the job's next
   * occurrence; `leave_running` lets the schedule's next tick continue it.
   */
  ifItFails: 'halt' | 'leave_running'
}

/**
 * The only way to work on an occurrence of a job: opens it, or finds it and asks whether to enter; does the work; and
 * ends it as the work says, or as `ifItFails` says if the work throws. Returns undefined if this process does not
 * enter. Work that returns no ending leaves the occurrence running, for whoever continues it.
 */
export async function runOccurrence<Result>(
  { db, log }: { db: Knex; log: Logger },
  occurrence: Occurrence,
  { triggeredBy, now, claimLimit, enter = async (_, opened) => opened, ifItFails }: RunOptions,
  work: (run: JobRun) => Promise<{ ending: Ending | undefined; result: Result }>,
): Promise<{ run: JobRun; result: Result } | undefined> {
  const { run, opened } = await openRun(db, occurrence, { triggeredBy, state: 'running', claimLimit }, now())
  if (!(await enter(run, opened))) return undefined
  try {
    const { ending, result } = await work(run)
    if (ending) await closeRun(db, run.id, ending, now())
    return { run, result }
  } catch (error) {
    const { job, appId } = occurrence
    log.error(
      { event: `${job}.failed`, app_id: appId, run_id: run.id, err: error },
      'it will be retried later',
    )
    if (ifItFails === 'halt')
      await closeRun(db, run.id, { state: 'halted', reason: DATABASE_FAILED }, now()).catch(() => {
        // The database is unreachable altogether; the error that led here says so.
      })
    throw error
  }
}

const DATABASE_FAILED: Reason = {
  en: 'the database failed, see the log',
  zh: '数据库出错，见日志',
  cause: 'database',
}

const STOPPED: Reason = { en: 'stopped', zh: '已停止', cause: 'stopped' }

/** The ending of work that a signal may cut short. */
export function endingOfWork(signal: AbortSignal): Ending {
  return signal.aborted ? { state: 'paused', reason: STOPPED } : { state: 'done', reason: null }
}
