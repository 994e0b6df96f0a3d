import type { Knex } from 'knex'
import type { Logger } from '../lib/logger.js'
import { closeRun, openRun } from './occurrences.js'
import type { Ending, JobRun, Occurrence, Trigger } from './run.js'

export interface RunOptions {
  triggeredBy: Trigger
  now(): number
  /** Of a new occurrence: users it may claim. */
  claimLimit?: number | undefined
  /** Whether this process works on the occurrence. By default only the one that opened it does. */
  enter?(run: JobRun, opened: boolean): Promise<boolean>
  /**
   * What becomes of the occurrence if the work throws: `halt` ends it, and the job's next occurrence goes on;
   * `leave_running` lets the schedule's next tick go on with it.
   */
  ifItFails: 'halt' | 'leave_running'
}

/**
 * The one way to work on an occurrence of a job: opens it, or finds it there and asks whether to enter; does the work;
 * and ends it, whatever the work does. Answers undefined where another process has it. Work that answers no ending
 * leaves the occurrence running, for whoever goes on with it.
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
      'it is tried again later',
    )
    if (ifItFails === 'halt')
      await closeRun(
        db,
        run.id,
        { state: 'halted', reason: 'the database failed, see the log' },
        now(),
      ).catch(() => {
        // The database is away altogether: the error that led here says so.
      })
    throw error
  }
}

/** The ending of work that a signal may cut short. */
export function endingOfWork(signal: AbortSignal): Ending {
  return signal.aborted ? { state: 'paused', reason: 'stopped' } : { state: 'done', reason: null }
}
