import cron, { type ScheduledTask } from 'node-cron'
import type { Account } from '../account.js'
import type { Logger } from '../lib/logger.js'

/** The work of one account that comes round. Each looks for itself whether something is due, and is never run beside itself. */
export interface ScheduledJobs {
  remind(): Promise<void>
  expire(): Promise<void>
  recover(): Promise<void>
  callbacks(): Promise<void>
  purge(): Promise<void>
}

export interface Schedule {
  /** Looks at once for what was missed, then at each firing and once a minute. Safe twice; nothing after a stop. */
  start(): void
  /** No new job is started. Resolves when those under way have ended. Safe twice, and before the start. */
  stop(): Promise<void>
}

const EVERY_MINUTE = '* * * * *'
const EVERY_FEW_SECONDS = '*/3 * * * * *'

/**
 * Ticks by node-cron in the account's zone. A tick only says "look now": what is due follows from the occurrences in
 * the database, so a tick too many does nothing and a lost one is made up for by the next minute's.
 */
export function createSchedule(account: Account, jobs: ScheduledJobs, log: Logger): Schedule {
  const tasks: ScheduledTask[] = []
  const underWay = new Map<string, Promise<void>>()
  let stopped = false

  function look(name: keyof ScheduledJobs): void {
    if (stopped || underWay.has(name)) return
    const job = jobs[name]()
      .catch((error: unknown) =>
        log.error({ event: 'schedule.job_failed', job: name, err: error }, 'the next tick tries again'),
      )
      .finally(() => underWay.delete(name))
    underWay.set(name, job)
  }

  function every(expression: string, ...names: (keyof ScheduledJobs)[]): void {
    const tick = (): void => names.forEach(look)
    tasks.push(cron.schedule(expression, tick, { timezone: account.timezone }))
  }

  return {
    start() {
      if (stopped || tasks.length > 0) return
      every(account.remindCron, 'remind')
      every(account.expireCron, 'expire')
      every(EVERY_MINUTE, 'remind', 'expire', 'purge')
      every(EVERY_FEW_SECONDS, 'recover', 'callbacks')
      look('recover')
      look('callbacks')
      look('remind')
      look('expire')
      look('purge')
    },
    async stop() {
      stopped = true
      for (const task of tasks.splice(0)) await task.destroy()
      await Promise.all(underWay.values())
    },
  }
}
