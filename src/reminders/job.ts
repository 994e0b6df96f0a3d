import type { Account } from '../account.js'
import { defineJob, EVERY_MINUTE, type Job } from '../schedule/job.js'
import { findDueRun } from './due.js'
import { REMIND, type RemindDeps, runReminders } from './run.js'

/** The daily run. Without a template there is nothing to say. */
export function remindJob(deps: RemindDeps, account: Account, assertClock: () => Promise<void>): Job {
  return defineJob({
    name: REMIND,
    ticks: [account.remindCron, EVERY_MINUTE],
    findDue: async () => (account.templateId === '' ? undefined : findDueRun(deps.db, account, deps.now())),
    async run(due, signal) {
      await assertClock()
      await runReminders(deps, account, { ...due, signal })
    },
  })
}
