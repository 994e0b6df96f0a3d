import { defineJob, EVERY_SECOND, type Job } from '../schedule/job.js'
import type { SubmittedWorker } from './worker.js'

/** Sends the submitted messages whose time has come, and what a dead process left of them. */
export function submittedJob(worker: SubmittedWorker): Job {
  return defineJob({
    name: 'messages',
    ticks: [EVERY_SECOND],
    findDue: async () => worker,
    async run(_, signal) {
      const stop = (): void => void worker.stop()
      signal.addEventListener('abort', stop)
      await worker.workDue().finally(() => signal.removeEventListener('abort', stop))
    },
  })
}
