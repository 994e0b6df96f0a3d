import { defineJob, EVERY_FEW_SECONDS, type Job } from '../schedule/job.js'
import type { CallbackWorker } from './process.js'

/** Processes WeChat events that a crash or a failure left, and those that wait for something. */
export function callbacksJob(worker: CallbackWorker): Job {
  return defineJob({
    name: 'callbacks',
    ticks: [EVERY_FEW_SECONDS],
    findDue: async () => worker,
    async run() {
      await worker.workDue()
    },
  })
}
