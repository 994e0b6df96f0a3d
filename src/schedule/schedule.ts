import cron, { type ScheduledTask } from 'node-cron'
import type { Logger } from '../lib/logger.js'
import type { Job } from './job.js'

export interface Schedule {
  /** Looks at once for what was missed, then at each tick. Safe to call twice; does nothing after a stop. */
  start(): void
  /**
   * Starts no new jobs, and signals those under way. Resolves when they have ended. Safe to call twice, and before
   * the start.
   */
  stop(): Promise<void>
}

/**
 * Ticks by node-cron in a time zone. An extra tick is harmless, and a job that is under way is not started a second
 * time.
 */
export function createSchedule(
  jobs: Job[],
  { appId, timezone }: { appId: string; timezone: string },
  log: Logger,
): Schedule {
  // What a busy process misses is made up for by a later tick, and node-cron's line about it would not be JSON.
  const options = { timezone, suppressMissedWarning: true }
  const tasks: ScheduledTask[] = []
  const underWay = new Map<Job, Promise<void>>()
  const stopped = new AbortController()

  function look(job: Job): void {
    if (stopped.signal.aborted || underWay.has(job)) return
    const looking = job
      .look(stopped.signal)
      .catch((error: unknown) =>
        log.error(
          { event: 'schedule.job_failed', app_id: appId, job: job.name, err: error },
          'the next tick tries again',
        ),
      )
      .finally(() => underWay.delete(job))
    underWay.set(job, looking)
  }

  return {
    start() {
      if (stopped.signal.aborted || tasks.length > 0) return
      for (const job of jobs) {
        for (const tick of new Set(job.ticks)) tasks.push(cron.schedule(tick, () => look(job), options))
        look(job)
      }
    },
    async stop() {
      stopped.abort()
      for (const task of tasks.splice(0)) await task.destroy()
      await Promise.all(underWay.values())
    },
  }
}
